"""What hypothesis draws becomes the decisions of a case: the same from the same bytes, whatever else is loaded."""

from __future__ import annotations

import pytest
from hypothesis.internal.conjecture import providers

from opconform.harness.generate import engine
from opconform.harness.runner import load_oracle
from opconform.harness.spec_load import load_all


def test_a_decision_takes_two_bytes_or_four_and_stays_in_its_range() -> None:
    source = engine._decisions(bytes([7, 0, 1, 0, 1, 0, 255, 255]))
    assert source.integer(3, 7) == 3 + 7 % 5
    assert source.integer(0, 2**17) == 0x00010001 % (2**17 + 1)
    assert source.integer(-1, 0) == -1 + 0xFFFF % 2


def test_decisions_beyond_the_bytes_are_the_simplest_ones() -> None:
    source = engine._decisions(b"\x05\x00")
    assert [source.integer(2, 9), source.integer(2, 9), source.integer(-4, 70000)] == [7, 2, -4]


def test_constants_of_loaded_modules_change_no_case(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = load_all()["ADD"]
    kernel = load_oracle().kernels["ADD"]

    def ids() -> list[str]:
        tier = engine.TIERS["smoke"]
        return [built.case.id for built in engine.drawn_by_hypothesis(spec, "float32", kernel, tier, 3)]

    before = ids()
    monkeypatch.setattr(
        providers.HypothesisProvider, "_local_constants", providers.Constants(integers=[0, 1, 2, 3, 4, 5, 6, 7])
    )
    monkeypatch.setattr(providers, "CONSTANTS_CACHE", {})
    assert ids() == before
    assert len(set(before)) > 4
