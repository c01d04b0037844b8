"""What checks of claims are given: runtimes by name, and fakes that are wrong in one known way each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from opconform.harness.claims import Evidence, Subject
from opconform.harness.isolate import connect
from opconform.harness.registry import resolve

FAKES = Path(__file__).parents[1] / "fakes"


@pytest.fixture
def subject() -> Callable[[str], Subject]:
    """Return what a check is given for a name as behind --runtime."""

    def of(source: str) -> Subject:
        handle = resolve(source)
        return Subject(handle, lambda: connect(handle))

    return of


@pytest.fixture
def fake(subject: Callable[[str], Subject]) -> Callable[[str], Subject]:
    """Return the same for a class of tests/fakes/memory.py."""
    return lambda name: subject(f"{FAKES / 'memory.py'}:{name}")


@pytest.fixture
def trainer(subject: Callable[[str], Subject]) -> Callable[[str], Subject]:
    """Return the same for a class of tests/fakes/trainers.py."""
    return lambda name: subject(f"{FAKES / 'trainers.py'}:{name}")


@pytest.fixture
def boaster(subject: Callable[[str], Subject]) -> Callable[[str], Subject]:
    """Return the same for a class of tests/fakes/boasters.py."""
    return lambda name: subject(f"{FAKES / 'boasters.py'}:{name}")


@pytest.fixture
def refuted() -> Callable[[Evidence, str], None]:
    """Return what holds that an ability was looked for and is not there, and that the evidence says why."""

    def hold(evidence: Evidence, why: str) -> None:
        assert evidence.value is False, evidence
        assert why in evidence.why

    return hold
