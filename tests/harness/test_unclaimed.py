"""What a runtime does not claim is tried once, and never held against it."""

from __future__ import annotations

import json
from pathlib import Path

from opconform.harness.runner import Selection, run

RUNTIME = '''
import itertools
import numpy as np
from opconform.harness.runtime import Manifest
from opconform.runtimes.litert import LiteRT

class Moody:
    """Right where it is asked first, and claims other rows; every second opening it answers something else."""
    opened = itertools.count()

    def __init__(self, variant=""):
        self._carrier = LiteRT("ref")

    def describe(self):
        return Manifest(name="moody", rows=("ABS/float32",))

    def open(self, model):
        return Session(self._carrier.open(model), next(Moody.opened) % 2)


class Session:
    def __init__(self, carrier, wrong):
        self._carrier, self._wrong = carrier, wrong

    def run(self, inputs):
        found = list(self._carrier.run(inputs))
        return [np.zeros_like(f) for f in found] if self._wrong else found

    def meters(self):
        return {}

    def close(self):
        self._carrier.close()
'''


def test_no_law_is_tried_on_a_row_that_is_not_claimed(tmp_path: Path) -> None:
    (tmp_path / "moody.py").write_text(RUNTIME)
    result = run(Selection((f"{tmp_path}/moody.py:Moody",), ("NEG",), ("float32",)), tmp_path / "run.jsonl")
    lines = [json.loads(text) for text in (tmp_path / "run.jsonl").read_text().splitlines()]
    assert [line["expected"] for line in lines if line["kind"] == "case"] == ["passes without being claimed"]
    assert result.exit == 0
