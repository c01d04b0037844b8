"""The loop of a worker in JavaScript: frames that are whole, torn or wrong, and engines that misbehave."""

from __future__ import annotations

import os
import struct
import subprocess
from collections.abc import Callable

import numpy as np
import pytest

from opconform.harness import wire
from opconform.harness.isolate import Isolated, Limits
from opconform.harness.model import Crashed, Declined, Infra, Produced, Rejected, TimedOut
from opconform.harness.runtime import Unavailable
from opconform.targets.javascript.workers import Engine, node_command

Launch = Callable[..., Isolated]
SPECIALS = np.array([[0.0, -0.0, np.nan], [np.inf, -np.inf, 1e-45]], np.float32)


def answers(engine: Engine, *pieces: bytes) -> tuple[list[wire.Frame], bytes]:
    """Return the frames with which a worker answers bytes that come in pieces, and its standard error."""
    try:
        command = node_command(engine, "engine@node", "")
    except Unavailable as error:
        pytest.skip(str(error))
    worker = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert worker.stdin is not None
    for piece in pieces:
        worker.stdin.write(piece)
        worker.stdin.flush()
    out, errors = worker.communicate(timeout=30)
    reader = wire.FrameReader()
    reader.feed(out)
    assert worker.returncode == 0
    return [wire.decode_frame(raw) for raw in reader], errors


def hello(sequence: int) -> bytes:
    return wire.encode_frame(wire.HELLO, sequence)


def test_tensors_come_back_bit_for_bit(in_node: Launch) -> None:
    vector = [SPECIALS, np.array([], np.int32), np.array(True), np.arange(3, dtype=np.int8)]
    outcome = in_node().execute(b"model", [vector])
    assert isinstance(outcome, Produced)
    for sent, returned in zip(vector, outcome.outputs[0], strict=True):
        assert returned.dtype == sent.dtype
        assert returned.shape == sent.shape
        assert returned.tobytes() == sent.tobytes()


def test_a_tensor_of_many_megabytes_comes_back(in_node: Launch) -> None:
    large = np.arange(3_000_000, dtype=np.int32)
    outcome = in_node().execute(b"model", [[large]])
    assert isinstance(outcome, Produced)
    assert np.array_equal(outcome.outputs[0][0], large)


def test_frames_may_come_byte_by_byte_and_many_at_once(engine: Callable[..., Engine]) -> None:
    torn = [bytes([byte]) for byte in hello(1)]
    found, _ = answers(engine(), *torn, b"".join(map(hello, range(2, 50))), wire.encode_frame(wire.BYE, 50))
    assert [frame.sequence for frame in found] == list(range(1, 51))
    assert [frame.kind for frame in found] == [wire.READY] * 49 + [wire.GONE]
    assert wire.decode_ready(found[0].payload).name == "engine@node"


def test_bytes_that_are_no_frame_end_the_worker_with_an_answer(engine: Callable[..., Engine]) -> None:
    found, _ = answers(engine(), hello(1) + b"garbage, and enough of it for a header")
    assert [frame.kind for frame in found] == [wire.READY, wire.ERROR]
    assert wire.decode_error(found[1].payload).code == wire.BAD_FRAME


def test_a_payload_that_is_too_long_is_refused_before_it_comes(engine: Callable[..., Engine]) -> None:
    header = wire.HEADER.pack(b"OPC1", wire.OPEN, 1, 0, 7, wire.MAX_PAYLOAD + 1, 0)
    found, _ = answers(engine(), header)
    assert "16777217 bytes" in wire.decode_error(found[0].payload).text


@pytest.mark.parametrize(("place", "value", "words"), [(16, 99, "crc"), (5, 9, "version 9"), (4, 77, "kind 77")])
def test_a_frame_that_is_wrong_is_answered_and_the_worker_goes_on(
    engine: Callable[..., Engine], place: int, value: int, words: str
) -> None:
    broken = bytearray(hello(1))
    broken[place] = value
    found, _ = answers(engine(), bytes(broken), hello(2))
    assert [frame.kind for frame in found] == [wire.ERROR, wire.READY]
    failure = wire.decode_error(found[0].payload)
    assert (failure.code, words in failure.text) == (wire.BAD_FRAME, True)


@pytest.mark.parametrize("payload", [b"", b"\1\0\0\0", struct.pack("<HHBBHI", 1, 0, 0, 4, 0, 400)])
def test_tensors_that_end_too_early_are_answered(engine: Callable[..., Engine], payload: bytes) -> None:
    found, _ = answers(engine(), wire.encode_frame(wire.RUN, 1, payload), hello(2))
    assert [frame.kind for frame in found] == [wire.ERROR, wire.READY]
    assert wire.decode_error(found[0].payload).code == wire.BAD_FRAME


def test_prints_of_an_engine_do_not_reach_the_wire(engine: Callable[..., Engine]) -> None:
    module = engine(open="console.log('opened'); console.warn('twice');")
    found, errors = answers(module, wire.encode_frame(wire.OPEN, 1, b"model"))
    assert [frame.kind for frame in found] == [wire.OPENED]
    assert errors.split() == [b"opened", b"twice"]


def test_what_an_engine_throws_becomes_its_outcome(in_node: Launch) -> None:
    vector = [SPECIALS]
    refuse = "throw new WireError({}, 'two\\nlines');"
    assert in_node(open=refuse.format("UNSUPPORTED")).execute(b"", [vector]) == Declined("two lines")
    assert in_node(open=refuse.format("INVALID_MODEL")).execute(b"", [vector]) == Rejected("two lines")
    crash = in_node(run="undefined.x;").execute(b"", [vector])
    assert isinstance(crash, Crashed)
    assert "during RUN of vector 0: TypeError: Cannot read properties of undefined" in crash.detail


def test_the_death_of_a_worker_is_a_crash_and_the_next_case_runs(in_node: Launch) -> None:
    executor = in_node(run="if (tensors.length > 1) process.abort(); return tensors;")
    crash = executor.execute(b"", [[SPECIALS], [SPECIALS, SPECIALS]])
    assert isinstance(crash, Crashed)
    assert crash.detail.startswith("SIGABRT during RUN of vector 1")
    assert isinstance(executor.execute(b"", [[SPECIALS]]), Produced)


def test_an_endless_loop_times_out_and_the_next_case_runs(in_node: Launch) -> None:
    executor = in_node(Limits(run=0.3), run="while (tensors.length > 1); return tensors;")
    assert isinstance(executor.execute(b"", [[SPECIALS, SPECIALS]]), TimedOut)
    assert isinstance(executor.execute(b"", [[SPECIALS]]), Produced)


def test_an_engine_that_cannot_start_says_why(in_node: Launch) -> None:
    executor = in_node(open="} constructor(")  # no JavaScript
    outcome = executor.execute(b"", [[SPECIALS]])
    assert isinstance(outcome, Infra)
    assert "before it was ready" in outcome.detail
    assert os.linesep not in outcome.detail


def test_after_a_trap_of_webassembly_there_is_a_fresh_worker(in_node: Launch) -> None:
    run = "if (tensors.length > 1) throw new WebAssembly.RuntimeError('out'); tensors[0].bytes[0] = process.pid % 251;"
    executor = in_node(run=f"{run} return tensors;")
    first = executor.execute(b"", [[SPECIALS]])
    assert executor.execute(b"", [[SPECIALS, SPECIALS]]) == Crashed(
        "internal error during RUN of vector 0: RuntimeError: out"
    )
    second = executor.execute(b"", [[SPECIALS]])
    assert isinstance(first, Produced)
    assert isinstance(second, Produced)
    assert first.outputs[0][0].tobytes() != second.outputs[0][0].tobytes()


def test_a_worker_answers_nothing_but_its_trap_until_it_is_replaced(engine: Callable[..., Engine]) -> None:
    open_, vector = wire.encode_frame(wire.OPEN, 1, b""), wire.encode_frame(wire.RUN, 2, wire.encode_run([SPECIALS]))
    trapped = engine(run="throw new WebAssembly.RuntimeError('out');")
    found, _ = answers(trapped, open_, vector, open_, hello(3), wire.encode_frame(wire.BYE, 4))
    assert [frame.kind for frame in found] == [wire.OPENED, *[wire.ERROR] * 3, wire.GONE]
    assert {wire.decode_error(frame.payload).text for frame in found[1:4]} == {"RuntimeError: out"}
