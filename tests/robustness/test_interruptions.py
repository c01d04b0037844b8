"""Killed, interrupted, out of space, unheard: what was measured stays, and --resume gives the log of one whole run."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

THREE_OPS = ("run", "--op", "ABS", "--op", "ADD", "--op", "EXP", "--row", "float32", "--runtime")


def await_rows(log: Path, rows: int) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        if log.exists() and log.read_text().count('"kind":"coverage"') >= rows:
            return
        time.sleep(0.01)
    raise AssertionError(f"{log} has no {rows} rows")


def workers_of(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in children if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()]


def stop_run(process: subprocess.Popen[str]) -> None:
    process.kill()


def stop_worker(process: subprocess.Popen[str]) -> None:
    os.kill(workers_of(process.pid)[0], signal.SIGKILL)


def press_ctrl_c(process: subprocess.Popen[str]) -> None:
    os.killpg(process.pid, signal.SIGINT)


@pytest.mark.parametrize(
    ("stop", "jobs", "code", "words"),
    [
        (stop_run, 1, -signal.SIGKILL, ""),
        (stop_run, 2, -signal.SIGKILL, ""),
        (press_ctrl_c, 1, 130, "interrupted; a log (--log) is kept"),
        (press_ctrl_c, 2, 130, "interrupted; a log (--log) is kept"),
        (stop_worker, 2, 3, "a worker process of this run ended (exit code -9); the log is kept"),
    ],
)
def test_a_run_that_was_stopped_goes_on_to_the_log_of_a_whole_run(
    user: SimpleNamespace, tmp_path: Path, stop: Callable[[Any], None], jobs: int, code: int, words: str
) -> None:
    slow = "\n\nclass Slow(Session):\n    def run(self, inputs):\n        import time\n        time.sleep(0.003)\n"
    slow += "        return super().run(inputs)\n\n\nEcho.open = lambda self, model: Slow()\n"
    runtime, log, whole = user.runtime(slow), tmp_path / "log", tmp_path / "whole"
    process = user.program(*THREE_OPS, runtime, "--log", log, "--jobs", jobs, start_new_session=True)
    await_rows(log, 1)
    stop(process)
    _, err = process.communicate(timeout=60)
    assert process.returncode == code, err
    assert "Traceback" not in err
    assert words in err
    assert '"kind":"footer"' not in log.read_text()
    user.here(*THREE_OPS, runtime, "--log", log, "--resume")
    user.here(*THREE_OPS, runtime, "--log", whole)
    assert user.timeless(log) == user.timeless(whole)


def test_hashes_and_processes_change_no_byte_but_times(user: SimpleNamespace, tmp_path: Path) -> None:
    runtime, logs = user.runtime(), []
    for seed, jobs in ((1, 1), (2, 2)):
        log = tmp_path / str(seed)
        done = user.program(*THREE_OPS, runtime, "--log", log, "--jobs", jobs, env={"PYTHONHASHSEED": str(seed)})
        done.communicate(timeout=60)
        logs.append(user.timeless(log))
    assert logs[0] == logs[1]


def test_a_log_whose_last_line_lost_only_its_newline_is_taken_up_whole(user: SimpleNamespace, tmp_path: Path) -> None:
    runtime, log, whole = user.runtime(), tmp_path / "log", tmp_path / "whole"
    user.here(*THREE_OPS, runtime, "--log", whole)
    lines = whole.read_bytes().splitlines(keepends=True)
    last = max(number for number, line in enumerate(lines) if b'"kind":"coverage"' in line)
    log.write_bytes(b"".join(lines[: last + 1])[:-1])
    user.here(*THREE_OPS, runtime, "--log", log, "--resume")
    assert user.timeless(log) == user.timeless(whole)


def test_going_on_writes_nothing_anew_that_was_measured(user: SimpleNamespace, tmp_path: Path) -> None:
    runtime, log = user.runtime(), tmp_path / "log"
    user.here(*THREE_OPS, runtime, "--log", log)
    data = log.read_bytes()
    log.write_bytes(data[: data.rindex(b'{"kind":"footer"')])
    before = log.stat().st_ino
    user.here(*THREE_OPS, runtime, "--log", log, "--resume")
    after = log.read_bytes()
    assert after[: after.rindex(b'{"kind":"footer"')] == data[: data.rindex(b'{"kind":"footer"')]
    assert log.stat().st_ino == before


@pytest.mark.parametrize("place", ["/dev/full", "/dev/zero", "/tmp"])
def test_what_is_no_file_is_not_taken_up(user: SimpleNamespace, one_line: Callable[..., str], place: str) -> None:
    line = one_line(2, *user.row, user.runtime(), "--log", place, "--resume")
    assert f"{place}: cannot be resumed: it is no regular file" in line


def test_a_reader_that_leaves_ends_neither_run_nor_log(user: SimpleNamespace, tmp_path: Path) -> None:
    log = tmp_path / "log"
    process = user.program(*user.row, user.runtime(), "--log", log)
    process.stdout.close()
    assert process.wait(60) == 1  # what the log says, not what the pipe did
    assert "Traceback" not in process.stderr.read()
    assert user.timeless(log)[-1]["exit"] == 1


def test_a_full_standard_output_is_one_line(user: SimpleNamespace) -> None:
    with open("/dev/full", "w") as full:
        process = subprocess.run(
            [*user.program("list", "ops").args], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert process.returncode == 2
    assert process.stderr == "opconform: No space left on device; check the path, its rights and the space left\n"


@pytest.mark.parametrize("seed", ["-1", "x", "1.5"])
def test_a_seed_that_is_none_is_one_line(user: SimpleNamespace, one_line: Callable[..., str], seed: str) -> None:
    assert "--seed" in one_line(2, *user.row, user.runtime(), "--seed", seed)


def test_a_seed_beyond_64_bits_and_a_runtime_named_twice_are_taken(user: SimpleNamespace, tmp_path: Path) -> None:
    runtime, log = user.runtime(), tmp_path / "log"
    user.here(*user.row, runtime, "--runtime", runtime, "--seed", 2**70, "--log", log)
    cases = [line["case"] for line in user.timeless(log) if line["kind"] == "case" and "law" not in line]
    assert len(cases) == len(set(cases)) > 10


def test_a_defect_of_opconform_itself_is_one_line_that_says_where(
    one_line: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("must not happen")

    monkeypatch.setattr("opconform.harness.cli.run.load_all", broken)
    assert "internal error: RuntimeError: must not happen (test_interruptions.py:" in one_line(3, "run")
