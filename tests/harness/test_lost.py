"""What a protocol loses on the way has a verdict of its own, from the runtime to the report."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from opconform.harness import registry, wire
from opconform.harness.isolate import InProcess, connect
from opconform.harness.model import VERDICTS, Array, Lost
from opconform.harness.runner import Selection, run
from opconform.harness.runtime import LostInTransport, Manifest
from opconform.harness.smoke import say
from opconform.harness.wholemodel import describe
from opconform.reports.summary import GRAVITY

FORGETFUL = """
from opconform.harness.runtime import LostInTransport, Manifest


class Forgetful:
    def __init__(self, at=""):
        pass

    def describe(self):
        return Manifest(name="forgetful", rows=("ABS/float32",))

    def open(self, model):
        return self

    def run(self, inputs):
        raise LostInTransport("output y holds null")

    def meters(self):
        return {}

    def close(self):
        pass
"""


class Forgetful:
    def describe(self) -> Manifest:
        return Manifest(name="forgetful")

    def open(self, model: bytes) -> Forgetful:
        return self

    def run(self, inputs: Sequence[Array]) -> Sequence[Array]:
        raise LostInTransport("output y holds null")

    def meters(self) -> dict[str, int]:
        return {}

    def close(self) -> None:
        pass


@pytest.fixture
def source(tmp_path: Path) -> str:
    (tmp_path / "forgetful.py").write_text(FORGETFUL)
    return f"{tmp_path / 'forgetful.py'}:Forgetful"


def test_a_loss_in_this_process_is_an_outcome_of_its_own() -> None:
    assert InProcess(Forgetful()).execute(b"", [()]) == Lost("output y holds null")


def test_a_loss_in_a_worker_travels_over_the_wire(source: str) -> None:
    executor = connect(registry.resolve(source))
    try:
        assert executor.execute(b"", [()]) == Lost("RUN of vector 0: output y holds null")
    finally:
        executor.close()


def test_the_wire_has_a_code_for_it() -> None:
    assert wire.decode_error(wire.encode_error(wire.Failure(wire.LOST, "gone"))) == wire.Failure(9, "gone")


def test_a_run_counts_losses_as_such_and_as_unexpected(source: str) -> None:
    lines: list[dict[str, object]] = []
    result = run(Selection((source,), ("ABS",), ("float32",)), None, False, lambda line: lines.append(dict(line)))
    verdicts = {line["verdict"] for line in lines if line["kind"] == "case"}
    assert verdicts <= {"lost-in-transport", "pass"}
    assert result.footer["verdicts"]["lost-in-transport"] > 0
    assert result.exit == 1
    failure = next(line for line in lines if line["kind"] == "failure")
    assert (failure["verdict"], failure["message"]) == ("lost-in-transport", "RUN of vector 0: output y holds null")


def test_every_verdict_has_a_place_in_the_order_of_gravity() -> None:
    assert sorted(GRAVITY) == sorted(VERDICTS)


def test_words_say_that_it_was_the_transport() -> None:
    assert describe(Lost("null")) == "lost in transport: null"
    assert say(Lost("null")) == "a loss in transport: null"
