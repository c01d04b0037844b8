"""The meter plugin on every board: exact counts, stack and arena marks, accesses out of bounds to the byte."""

from __future__ import annotations

import numpy as np
import pytest

from opconform.harness import wire
from opconform.harness.model import Produced
from opconform.targets import answers
from opconform.targets.boards import load_architecture, load_target
from opconform.targets.faults import describe_access, describe_fault, neighbour
from opconform.targets.meters import Record, Region
from opconform.targets.symbols import Symbols

ARM, RISCV = load_architecture("cortex_m"), load_architecture("riscv32")
SYMBOLS = Symbols({"conv": (0x100, 0x40, "STT_FUNC")}, (0x100,), ("conv",))
REGIONS = (Region("stack", 0x1000, 0x2000), Region("arena", 0x3000, 0x4000))
QUIET = Record(*[0] * 13)


def test_instructions_of_a_known_loop_are_exact(board):
    base = board.cost("COUNTED_LOOP", 1)["instructions"]
    for n in (2, 3, 1000, 100_001):
        assert board.cost("COUNTED_LOOP", n)["instructions"] - base == 2 * (n - 1)


def test_the_ticks_of_the_budget_are_not_counted(make_board):
    """Each loop is long enough for the tick, ten times a second, to interrupt it or the next."""
    faulty = make_board("cortex-m4")
    faulty.start()
    counts = set()
    for sequence in range(4):
        faulty.send(wire.encode_frame(wire.RUN, sequence, wire.encode_run([np.array([9, 40_000_000], np.int32)])))
        _, meters = wire.decode_result(wire.decode_frame(faulty.receive(5)).payload)
        counts.add(meters["instructions"])
    assert len(counts) == 1
    assert 80_000_000 < counts.pop() < 80_000_100


def test_stack_use_grows_byte_for_byte(board):
    small, large = (board.cost("USE_STACK", n)["stack"] for n in (64, 1024))
    assert large - small == 960
    assert board.cost("USE_STACK", 65)["stack"] - small == 1


def test_the_highest_store_to_the_arena_is_found(board, board_name):
    for n in (1, 640, load_target(board_name).arena_bytes):
        assert board.cost("FILL_ARENA", n)["arena-touched"] == n


def test_a_store_of_one_byte_past_the_arena_is_a_crash_with_its_function(board):
    assert board.cost("STORE_PAST_ARENA", 0)["stores"] >= 4
    text = board.crash("STORE_PAST_ARENA", 1)
    assert "out-of-bounds store of 1 byte" in text
    assert "(0 bytes past the end of the arena)" in text
    assert "(faulty.c:store_bytes)" in text


def test_a_load_behind_the_model_is_a_crash_though_its_buffer_is_larger(board):
    assert board.cost("LOAD_MODEL", 99)["loads"] >= 1
    text = board.crash("LOAD_PAST_MODEL", 100)
    assert "out-of-bounds load of 1 byte" in text
    assert "model" in text


def test_the_bound_follows_the_model_that_is_open(boards):
    executor = boards("cortex-m4").executor
    vectors = [[np.array([16, 199], np.int32)]]
    assert isinstance(executor.execute(bytes(200), vectors), Produced)
    assert not isinstance(executor.execute(bytes(199), vectors), Produced)
    assert isinstance(executor.execute(bytes(200), vectors * 700), Produced)
    assert not isinstance(executor.execute(bytes(199), vectors), Produced)


def test_meters_belong_to_the_frame_that_cost_them(boards):
    """Frames are pipelined, so each RESULT must carry its own figures and not those of the last."""
    board = boards("cortex-m3").board
    boards("cortex-m3").run("ECHO")
    sizes = [5, 500, 50, 1000, 1]
    runs = [wire.encode_run([np.array([9, n], np.int32)]) for n in sizes]
    board.send(b"".join(wire.encode_frame(wire.RUN, i, payload) for i, payload in enumerate(runs)))
    found = [wire.decode_result(wire.decode_frame(board.receive(5)).payload)[1]["instructions"] for _ in sizes]
    assert [count - found[-1] for count in found] == [2 * (n - 1) for n in sizes]


def test_a_result_with_its_own_meters_keeps_them():
    payload = wire.encode_result([np.array([1.5], np.float32)], {"arena": 640, "stack": 7})
    record = QUIET.__class__(*[0, 1, 1000, 1, 1, 99, 0, 0, 0, 0, 0, 0, 0])
    frame = answers.complete(wire.encode_frame(wire.RESULT, 3, payload), record, answers.Map(REGIONS, SYMBOLS, ARM))
    tensors, meters = wire.decode_result(wire.decode_frame(frame).payload)
    assert meters == {"arena": 640, "stack": 7, "instructions": 1000}
    np.testing.assert_array_equal(tensors[0], [1.5])


def test_a_frame_with_a_wrong_crc_is_not_made_good():
    frame = bytearray(wire.encode_frame(wire.RESULT, 3, wire.encode_result([], {})))
    frame[-1] ^= 1
    assert answers.complete(bytes(frame), QUIET, answers.Map(REGIONS, SYMBOLS, ARM)) == bytes(frame)


def test_an_access_is_described_by_its_nearest_region():
    assert neighbour(0x4003, REGIONS) == " (3 bytes past the end of the arena)"
    assert neighbour(0x0FF0, REGIONS) == " (16 bytes below the stack)"
    assert neighbour(0x3010, REGIONS) == " (in the arena, 16 bytes from its start)"
    assert neighbour(0x90000000, REGIONS) == ""


def test_more_than_one_bad_access_is_counted():
    record = Record(0, 1, 10, 1, 1, 0, 0, 3, 0x104, 0x4000, 4, 1, 0)
    assert describe_access(record, REGIONS, SYMBOLS) == (
        "out-of-bounds store of 4 bytes at 0x00004000 (0 bytes past the end of the arena), pc 0x00000104 (conv)"
        ", and 2 more"
    )


def test_a_fault_status_is_put_into_words():
    words = [5, 0, 0, 0x105, 0x110, 0, 0x8200, 0, 0, 0xB0000000, *[0] * 6]
    assert describe_fault(words, ARM, QUIET, SYMBOLS) == (
        "BusFault (lr=0x00000105 pc=0x00000110 cfsr=0x00008200 bfar=0xb0000000): "
        "precise data bus error, at 0xb0000000, in 0x00000110 (conv), called from conv"
    )


@pytest.mark.parametrize(
    ("cause", "said"),
    [(5, "load access fault (mepc=0x00000110 mtval=0x00001000): at 0x00001000, in 0x00000110 (conv)"),
     (2, "illegal instruction (mepc=0x00000110 mtval=0x00001000): in 0x00000110 (conv)"),
     (24, "exception 24 (mepc=0x00000110 mtval=0x00001000): in 0x00000110 (conv)")],
)  # fmt: skip
def test_an_address_is_named_where_the_exception_has_one(cause, said):
    assert describe_fault([cause, 0, 0, 0, 0x110, 0, 0x1000, *[0] * 9], RISCV, QUIET, SYMBOLS) == said


def test_a_fault_of_a_board_carries_its_words_as_text():
    words = dict.fromkeys(wire.REGISTERS, 0) | {"exception": 3, "pc": 0x110}
    frame = wire.encode_frame(wire.ERROR, 7, wire.encode_error(wire.Failure(wire.FAULT, "fault", words)))
    told = answers.complete(frame, QUIET, answers.Map(REGIONS, SYMBOLS, ARM))
    failure = wire.decode_error(wire.decode_frame(told).payload)
    assert failure.text == "HardFault (pc=0x00000110): in 0x00000110 (conv)"
    assert not any(failure.registers.values())
