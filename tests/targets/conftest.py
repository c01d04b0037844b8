"""Boards with the faulty worker, for the tests of this folder.

The smallest core, one with an FPU, one with vectors and one of another architecture run always, where their tools are
installed; OPCONFORM_BOARDS=all adds the others.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from opconform.harness.isolate import Isolated
from opconform.harness.model import Crashed, Outcome, Produced
from opconform.targets import build, launcher
from opconform.targets.boards import load_architecture, load_target, target_names

FAULTY = Path(__file__).with_name("faulty.c")
MODEL_BYTES = 100
FEW = ("cortex-m0", "cortex-m4", "cortex-m55", "riscv32")
COMMANDS = (
    *("ECHO", "UNDEFINED_INSTRUCTION", "LOAD_UNMAPPED", "STACK_OVERFLOW", "ENDLESS_LOOP", "STORE_PAST_ARENA"),
    *("LOAD_PAST_MODEL", "SPIN_WITHOUT_INTERRUPTS", "EXIT", "COUNTED_LOOP", "STORE_TO_NULL", "DIVIDE_BY_ZERO"),
    *("REFUSE", "GARBAGE", "FILL_ARENA", "USE_STACK", "LOAD_MODEL"),
)


def faulty_image(name: str) -> build.Image:
    """Build the faulty worker for a board, warnings being errors."""
    target = load_target(name)
    sources = (*build.platform_sources(target), FAULTY)
    return build.link_image(target, build.compile_objects(target, sources, ("-Werror",)))


def faulty_board(name: str, budget: float = 0.2) -> launcher.Board:
    """Return a board that runs the faulty worker; not started."""
    return launcher.Board(name, launcher.Options(budget=budget, image=faulty_image(name)))


class Faulty:
    """The faulty worker behind the harness's own executor."""

    def __init__(self, name: str) -> None:
        self.board = faulty_board(name)
        self.executor = Isolated(self.board)

    def run(self, command: str, argument: int = 0) -> Outcome:
        """Give the worker one command."""
        vector = [np.array([COMMANDS.index(command), argument], np.int32)]
        return self.executor.execute(bytes(MODEL_BYTES), [vector])

    def cost(self, command: str, argument: int = 0) -> dict[str, int]:
        """Return the meters of a command that ends well."""
        outcome = self.run(command, argument)
        assert isinstance(outcome, Produced), outcome
        return dict(outcome.meters)

    def crash(self, command: str, argument: int = 0) -> str:
        """Return the words of a command that does not end well, once the board has answered again after it."""
        outcome = self.run(command, argument)
        assert isinstance(outcome, Crashed), outcome
        assert isinstance(self.run("ECHO"), Produced)
        return outcome.detail


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give a test that takes `board_name` every board of this run."""
    if "board_name" in metafunc.fixturenames:
        every = os.environ.get("OPCONFORM_BOARDS") == "all"
        metafunc.parametrize("board_name", [board_parameter(name) for name in (target_names() if every else FEW)])


def board_parameter(name: str) -> Any:
    """Return a board as a test's parameter; a test without its compiler or emulator says so."""
    tools = load_architecture(load_target(name).architecture)
    missing = [tool for tool in (tools.compiler, tools.emulator) if shutil.which(tool) is None]
    return pytest.param(name, marks=pytest.mark.skipif(bool(missing), reason=f"{missing} is not installed"))


@pytest.fixture(scope="session")
def boards() -> Iterator[Callable[[str], Faulty]]:
    """Return what gives a board with the faulty worker, built and started when first asked for."""
    started: dict[str, Faulty] = {}

    def get(name: str) -> Faulty:
        if name not in started:
            started[name] = Faulty(name)
        return started[name]

    yield get
    for faulty in started.values():
        faulty.executor.close()


@pytest.fixture
def board(boards: Callable[[str], Faulty], board_name: str) -> Faulty:
    """Each board of this run in turn, with the faulty worker."""
    return boards(board_name)


@pytest.fixture
def make_image() -> Callable[[str], build.Image]:
    """Return what builds the faulty worker for a board."""
    return faulty_image


@pytest.fixture
def make_board() -> Iterator[Callable[[str], launcher.Board]]:
    """Return what makes a board with the faulty worker; each is stopped at the end."""
    made: list[launcher.Board] = []

    def make(name: str) -> launcher.Board:
        made.append(faulty_board(name))
        return made[-1]

    yield make
    for board in made:
        board.stop()
