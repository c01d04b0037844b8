"""Every board boots, answers, survives faults and says what happened; the worker is tests/targets/faulty.c."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from opconform.harness import wire
from opconform.harness.model import Crashed, Infra, Produced, Rejected, TimedOut
from opconform.harness.transport import Died, NotStarted
from opconform.targets import build, launcher
from opconform.targets.boards import target_names

MakeImage = Callable[[str], build.Image]
Make = Callable[[str], launcher.Board]


def test_there_are_six_cortex_m_boards_and_one_of_another_architecture() -> None:
    assert target_names() == (
        *("cortex-m0", "cortex-m3", "cortex-m4", "cortex-m7", "cortex-m33", "cortex-m55"), "riscv32",
    )  # fmt: skip


def test_a_board_echoes_a_tensor(board: Any) -> None:
    outcome = board.run("ECHO", 12345)
    assert isinstance(outcome, Produced)
    np.testing.assert_array_equal(outcome.outputs[0][0], [0, 12345])


def test_many_frames_under_way_are_answered_in_order(board: Any) -> None:
    vectors = [[np.array([0, i, *range(i % 90)], np.int32)] for i in range(1500)]
    outcome = board.executor.execute(bytes(100), vectors)
    assert isinstance(outcome, Produced)
    for sent, (got,) in zip(vectors, outcome.outputs, strict=True):
        np.testing.assert_array_equal(got, sent[0])


def test_an_undefined_instruction_is_reported_with_its_function(board: Any, board_name: str) -> None:
    text = board.crash("UNDEFINED_INSTRUCTION")
    assert "(faulty.c:misbehave_hard)" in text
    named = {"cortex-m0": "HardFault (", "riscv32": "illegal instruction ("}
    assert text.startswith(named.get(board_name, "UsageFault ("))
    assert "during RUN of vector 0" in text
    assert board_name in named or "undefined instruction" in text


def test_a_load_from_nowhere_is_reported(board: Any) -> None:
    text = board.crash("LOAD_UNMAPPED")
    assert "0xb0000000" in text
    assert "load_byte" in text


def test_a_store_through_null_is_reported(board: Any) -> None:
    assert "(faulty.c:store_bytes)" in board.crash("STORE_TO_NULL")


def test_a_stack_overflow_is_reported_with_the_function_that_went_deepest(board: Any) -> None:
    text = board.crash("STACK_OVERFLOW")
    assert "stack" in text
    assert "overflow." in text


def test_a_division_by_zero_is_reported_where_the_core_traps_it(board: Any, board_name: str) -> None:
    if board_name in ("cortex-m0", "riscv32"):  # by software, which answers 0; by an instruction that never traps
        assert isinstance(board.run("DIVIDE_BY_ZERO", 5), Produced)
    else:
        assert "division by zero" in board.crash("DIVIDE_BY_ZERO", 5)


def test_an_endless_loop_ends_by_the_budget_without_a_restart(board: Any) -> None:
    board.run("ECHO")
    before = board.board._answered
    start = time.monotonic()
    assert isinstance(board.run("ENDLESS_LOOP"), TimedOut)
    assert time.monotonic() - start < 60
    assert isinstance(board.run("ECHO"), Produced)
    assert board.board._answered > before + 2


def test_a_loop_with_interrupts_off_ends_by_the_deadline_of_the_harness(make_board: Make) -> None:
    board = make_board("cortex-m3")
    board.start()
    payload = wire.encode_run([np.array([7, 0], np.int32)])
    board.send(wire.encode_frame(wire.RUN, 1, payload))
    with pytest.raises(Exception, match="no answer"):
        board.receive(0.2)
    board.restart()
    board.send(wire.encode_frame(wire.HELLO, 2))
    assert wire.decode_frame(board.receive(5)).kind == wire.READY


def test_a_firmware_that_ends_is_a_crash_with_its_status_and_the_next_case_runs(board: Any) -> None:
    assert "status 17" in board.crash("EXIT")


def test_an_error_of_the_worker_passes_unchanged(boards: Callable[[str], Any]) -> None:
    assert boards("cortex-m4").run("REFUSE") == Rejected("refused on command")


def test_bytes_that_are_no_frame_are_a_failure_of_the_target(boards: Callable[[str], Any]) -> None:
    outcome = boards("cortex-m4").run("GARBAGE")
    assert isinstance(outcome, Infra)
    assert "this is no f" in outcome.detail


def test_a_restart_takes_less_than_a_fifth_of_a_second_of_cpu(make_board: Make) -> None:
    """CPU time of this process and of the new QEMU: the clock on the wall would measure the load of the machine."""
    board = make_board("cortex-m4")
    board.start()
    costs = []
    for _ in range(3):
        start = time.process_time()
        board.restart()
        child = board._running.pipes._child
        costs.append(time.process_time() - start + time.clock_gettime(~child.pid << 3 | 2))
    assert min(costs) < 0.2


def test_a_machine_that_qemu_does_not_know_fails_at_once_with_its_own_words(
    make_image: MakeImage,
) -> None:
    options = launcher.Options(image=make_image("cortex-m4"), machine="no-such-machine")
    board = launcher.Board("cortex-m4", options)
    with pytest.raises(NotStarted, match="unsupported machine type"):
        board.start()
    board.stop()


def test_a_missing_emulator_is_named_with_its_package(make_image: MakeImage) -> None:
    board = launcher.Board("cortex-m4", launcher.Options(image=make_image("cortex-m4"), qemu="qemu-missing"))
    with pytest.raises(NotStarted, match=r"qemu-missing is missing.*apt-get install qemu-system-arm"):
        board.start()


def test_a_missing_compiler_is_named_with_its_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NotStarted, match="is missing; install it with: apt-get install"):
        launcher.Board("cortex-m4").start()


def test_an_unknown_board_is_answered_with_the_known_ones() -> None:
    with pytest.raises(NotStarted, match="'cortex-m9' is unknown; boards are cortex-m0, cortex-m3"):
        launcher.Board("cortex-m9").start()


def test_a_killed_qemu_is_a_crash_and_the_next_case_runs(boards: Callable[[str], Any]) -> None:
    faulty = boards("cortex-m4")
    faulty.run("ECHO")
    running = faulty.board._running
    assert running is not None
    child = running.pipes._child
    assert child is not None
    os.kill(child.pid, signal.SIGKILL)
    outcome = faulty.run("ECHO")
    assert isinstance(outcome, Crashed)
    assert "SIGKILL" in outcome.detail
    assert isinstance(faulty.run("ECHO"), Produced)


def test_a_stopped_board_says_so(make_board: Make) -> None:
    with pytest.raises(Died, match="not started"):
        make_board("cortex-m4").receive(1.0)


def test_a_larger_model_gets_more_time(boards: Callable[[str], Any]) -> None:
    """The budget of 0.2 s, and once more for each 16 KiB."""
    vector = [np.array([4, 0], np.int32)]
    start = time.monotonic()
    assert isinstance(boards("cortex-m4").executor.execute(bytes(4 * 16384), [vector]), TimedOut)
    assert time.monotonic() - start > 0.8
