"""Run the command line in this process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import pytest

from opconform.harness.cli import app
from opconform.harness.cli.common import guard


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str


Run = Callable[..., Ended]


@pytest.fixture
def opconform(capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*arguments: object) -> Ended:
        code = guard(partial(app, [str(argument) for argument in arguments]))
        captured = capsys.readouterr()
        return Ended(code, captured.out, captured.err)

    return run


@pytest.fixture
def refused(opconform: Run) -> Callable[..., str]:
    """Run a command that must end with exit code 2 and one line; return the line."""

    def run(*arguments: object) -> str:
        ended = opconform(*arguments)
        assert ended.code == 2, ended
        assert ended.err.startswith("opconform: ")
        assert ended.err.count("\n") == 1, ended.err
        return ended.err

    return run
