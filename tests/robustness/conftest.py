"""Run the command line as a user does: in this process where that is enough, else as a program."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from opconform.harness.cli import app
from opconform.harness.cli.common import guard

PROGRAM = [sys.executable, "-m", "opconform"]
#: A row that is quick to run.
ONE_ROW = ("run", "--op", "ABS", "--row", "float32", "--runtime")
TIMES = ("started", "seconds", "time")

ECHO = """\
import numpy as np
from opconform.harness.runtime import Manifest


class Session:
    def run(self, inputs):
        return [np.abs(inputs[0])]

    def meters(self):
        return {}

    def close(self):
        pass


class Echo:
    def __init__(self, at=""):
        pass

    def describe(self):
        return Manifest(name="echo")

    def open(self, model):
        return Session()
"""


def without_times(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_times(part) for key, part in value.items() if key not in TIMES}
    return [without_times(part) for part in value] if isinstance(value, list) else value


def _heed_ctrl_c() -> None:
    """Undo what a shell gives to jobs in the background, CI's among them: an interrupt that is ignored."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.fixture
def user(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> SimpleNamespace:
    """What a test needs to play the user."""

    def here(*arguments: object) -> tuple[int, str, str]:
        code = guard(partial(app, [str(argument) for argument in arguments]))
        return code, *capsys.readouterr()

    def program(*arguments: object, env: Mapping[str, str] | None = None, **options: Any) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*PROGRAM, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path,
            env={**os.environ, **(env or {})}, preexec_fn=_heed_ctrl_c, **options,
        )  # fmt: skip

    def runtime(text: str = "", name: str = "Echo") -> str:
        file = tmp_path / f"adapter_{len(list(tmp_path.glob('adapter_*.py')))}.py"
        file.write_text(ECHO + text)
        return f"{file}:{name}"

    def timeless(path: Path) -> list[Any]:
        return [without_times(json.loads(text)) for text in path.read_text().splitlines()]

    return SimpleNamespace(here=here, program=program, runtime=runtime, timeless=timeless, row=ONE_ROW)


@pytest.fixture
def one_line(user: SimpleNamespace) -> Callable[..., str]:
    """Run a command that must end with a code and one line on standard error; return the line."""

    def run(code: int, *arguments: object) -> str:
        ended, _, err = user.here(*arguments)
        assert ended == code, err
        assert err.startswith("opconform: ")
        assert err.count("\n") == 1, err
        return str(err)

    return run
