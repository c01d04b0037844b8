"""Whatever a runtime does, the run ends with one line and the right code."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from opconform.harness.isolate import MOST_STARTS, connect
from opconform.harness.model import Infra
from opconform.harness.registry import resolve

CONSTRUCTORS = {
    "raise ValueError('no licence\\nfound')": "ValueError: no licence found",
    "raise SystemExit(5)": "SystemExit: 5",
    "raise KeyError('x')": "KeyError: 'x'",
}


@pytest.mark.parametrize("body", CONSTRUCTORS)
def test_a_constructor_that_fails_is_one_line(user: SimpleNamespace, one_line: Callable[..., str], body: str) -> None:
    runtime = user.runtime(f"\n\nclass Bad(Echo):\n    def __init__(self, at=''):\n        {body}\n", "Bad")
    assert f"cannot be constructed and described: {CONSTRUCTORS[body]}" in one_line(2, *user.row, runtime)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ("None", "describe() returned NoneType, want a Manifest"),
        ("{'name': 'x'}", "describe() returned dict"),
        ("Manifest(name='a/b')", "its name is 'a/b'; letters, digits"),
        ("Manifest(name='')", "its name is ''"),
        ("1 / 0", "ZeroDivisionError"),
    ],
)
def test_a_manifest_that_is_none_is_one_line(
    user: SimpleNamespace, one_line: Callable[..., str], answer: str, words: str
) -> None:
    runtime = user.runtime(f"\n\nclass Bad(Echo):\n    def describe(self):\n        return {answer}\n", "Bad")
    assert words in one_line(2, *user.row, runtime)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"import nosuchmodule\n", "No module named 'nosuchmodule'"),
        (b"def (\n", "SyntaxError"),
        (b"\xff\xfe\0", "cannot contain null bytes"),  # whose kind of error depends on the patch of Python
        (b"import sys\nsys.exit(3)\n", "SystemExit: 3"),
    ],
)
def test_a_file_that_does_not_import_is_one_line(
    user: SimpleNamespace, one_line: Callable[..., str], tmp_path: Path, text: bytes, words: str
) -> None:
    (tmp_path / "bad.py").write_bytes(text)
    assert words in one_line(2, *user.row, f"{tmp_path / 'bad.py'}:X")


def test_what_is_no_class_is_one_line(user: SimpleNamespace, one_line: Callable[..., str]) -> None:
    assert "'int' object is not callable" in one_line(2, *user.row, user.runtime("\nnumber = 5\n", "number"))
    assert "no class 'Nope', its runtimes are Echo" in one_line(2, *user.row, user.runtime("", "Nope"))


def test_an_error_of_a_runtime_in_this_process_is_a_crash_and_no_traceback(user: SimpleNamespace) -> None:
    bad = (
        "\n\nclass Bad(Echo):\n    in_process = True\n\n    def open(self, model):\n        raise IndexError('boom')\n"
    )
    code, out, err = user.here(*user.row, user.runtime(bad, "Bad"))
    assert (code, err) == (1, "")
    assert "internal error during OPEN: IndexError: boom" in out


def test_a_program_that_cannot_start_fails_the_run_at_once_with_its_own_words(
    user: SimpleNamespace, one_line: Callable[..., str], tmp_path: Path
) -> None:
    log = tmp_path / "log"
    command = "exec:sh -c 'echo no device >&2; exit 4'"
    assert "exited with status 4: no device; nothing was run" in one_line(3, *user.row, command, "--log", log)
    assert not log.exists()
    assert "HELLO was answered with HELLO" in one_line(3, *user.row, "exec:cat")
    assert "no frame begins with" in one_line(3, *user.row, "exec:yes")


def test_a_program_that_is_not_there_or_may_not_be_executed_says_which(user: SimpleNamespace, tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("")
    code, out, _ = user.here(*user.row, f"exec:{tmp_path / 'plain'}")
    assert (code, "may not be executed; chmod +x it" in out) == (3, True)
    code, out, _ = user.here(*user.row, "exec:./no_worker")
    assert (code, "there is no program './no_worker'" in out) == (3, True)


def test_a_run_on_which_nothing_can_run_is_no_success(user: SimpleNamespace) -> None:
    assert user.here(*user.row, "reference")[0] == 3
    assert user.here("model", Path("specs/models/digits_int8.tflite").resolve(), "--runtime", "reference")[0] == 3


def test_a_worker_that_never_starts_is_not_asked_for_ever(tmp_path: Path) -> None:
    count = tmp_path / "count"
    executor = connect(resolve(f"exec:sh -c 'echo x >> {count}; exit 1'"))
    outcomes = [executor.execute(b"", []) for _ in range(10)]
    assert all(isinstance(outcome, Infra) for outcome in outcomes)
    assert len(count.read_text().split()) == MOST_STARTS


def test_the_command_that_replays_names_the_runtime_as_it_was_given(user: SimpleNamespace) -> None:
    runtime = user.runtime()
    assert resolve(runtime).argument == runtime
    assert resolve("exec:sh -c 'exit 1'").argument == "'exec:sh -c '\"'\"'exit 1'\"'\"''"
    assert resolve("lite").argument == "lite@host"


def test_a_qemu_that_cannot_start_fails_at_once_with_its_own_message(
    user: SimpleNamespace, one_line: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = tmp_path / "qemu-system-arm"
    fake.write_text("#!/bin/sh\necho 'qemu: no such machine' >&2\nexit 1\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    line = one_line(3, *user.row, "lite", "--runtime", "micro@cortex-m4")
    assert "micro@cortex-m4 cannot start" in line
    assert "qemu: no such machine" in line


@pytest.mark.parametrize(("place", "tool"), [("host", "gcc"), ("cortex-m4", "qemu-system-arm")])
def test_a_missing_tool_leaves_its_runtime_out_and_the_run_goes_on(
    user: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, place: str, tool: str
) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    code, out, err = user.here(*user.row, user.runtime(), "--runtime", f"micro@{place}")
    left_out = [line for line in out.splitlines() if "cannot run here" in line]
    assert code == 1  # the echo accepts an invalid model: it did run
    assert len(left_out) == 1, (out, err)
    assert f"{tool} is missing; install it with: apt-get install" in left_out[0]
    assert "echo@host" in out
