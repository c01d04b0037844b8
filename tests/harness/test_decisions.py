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


def test_rows_of_an_op_share_what_hypothesis_draws_at_once_and_each_begins_with_the_simplest_case() -> None:
    spec = load_all()["ADD"]
    engine._strings.cache_clear()
    shares = [engine._strings_of(spec, row, 6, 3) for row in spec.rows]
    assert engine._strings.cache_info().misses == 1
    assert {share[0] for share in shares} == {bytes(96)}
    drawn = [data for share in shares for data in share[1:]]
    assert len(set(drawn)) == len(drawn) == 5 * len(spec.rows)
    assert {len(data) for data in drawn} == {96}
    assert engine._strings_of(spec, spec.rows[0], 6, 4) != shares[0]


@pytest.mark.parametrize("number", [1, 2, 39, 40, 41, 200])
def test_as_many_strings_are_drawn_as_are_asked_for(number: int) -> None:
    assert len(engine._strings(number, 1)) == number


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
    engine._strings.cache_clear()
    assert ids() == before
    assert len(set(before)) > 4
