"""The smoke tier catches every defect of tests/fakes/defects.py by the clause that it breaks, and nothing else.

One row is run for all defects that concern it, so that its cases are generated and judged once.
"""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pytest

from opconform.harness import registry, unit
from opconform.harness.exact import promised_family, run_twin
from opconform.harness.generate.engine import TIERS, cases
from opconform.harness.isolate import InProcess, Limits, connect
from opconform.harness.numerics import FAMILIES
from opconform.harness.runner import load_oracle
from opconform.harness.spec_load import load_all
from opconform.harness.unit import Oracle, Seat, run_unit

FOLDER = Path(__file__).parents[1] / "fakes"
#: Verdict and clause that each defect must have, by row.
VALUE = "wrong-value"
WINDOW = ("transposed_padding", "swaps_strides", "ignores_activation", "batch_only_first")
CONVOLUTION = (*WINDOW, "drops_dilation")
INTEGER = ("scale_of_channel_0", "rounds_floats")
CAUGHT: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "CONV_2D/int8": {"T2": (*CONVOLUTION, *INTEGER, "ignores_zero_point")},
    "CONV_2D/float32": {"T1": (*CONVOLUTION, "keeps_state", "scribbles_on_weights")},
    "DEPTHWISE_CONV_2D/int8": {"T2": (*CONVOLUTION, *INTEGER)},
    "AVERAGE_POOL_2D/int8": {"T2": WINDOW},
    "MAX_POOL_2D/float32": {"T1": WINDOW},
    "ADD/int8": {"T5": ("some_off_by_one", "ignores_zero_point", "ignores_activation", "broadcasts_only_scalars")},
    "MUL/float32": {"T1": ("broadcasts_only_scalars", "ignores_activation")},
    "MEAN/int8": {"T4": ("ignores_zero_point", "keeps_state")},
    "LOGISTIC/int8": {"T2": ("ignores_zero_point",)},
    "LOGISTIC/float32": {"LD": ("nondeterministic",), "T1": ("forgets_beyond_64",)},
    "SOFTMAX/float32": {"T1": ("batch_only_first",)},
    "SVDF/int8": {"T2": ("loses_state",)},
    "READ_VARIABLE/float32": {"T1": ("loses_state",)},
    "STRIDED_SLICE/float32": {"T1": ("nan_to_zero", "late_start")},
    "GATHER/float32": {"T1": ("nan_to_zero",)},
    "PAD/float32": {"T1": ("nan_to_zero",)},
    "QUANTIZE/float32_int8": {"T1": ("truncates",)},
    "ARG_MAX/float32": {"T1": ("mirrors_negative_axes", "last_maximum")},
    "ARG_MAX/bool": {"T8": ("last_maximum",)},
    "RANDOM_UNIFORM/float32": {"T1": ("biased_random", "repeats_random")},
}
#: Rows on whose sums rounding families differ in the smoke tier of any seed.
SMOKE = ("CONV_2D/int8", "CONV_2D/uint8", "DEPTHWISE_CONV_2D/int8", "ADD/int8", "ADD/uint8", "MUL/int8",
         "QUANTIZE/int8_int8")  # fmt: skip
#: All such rows, each with its first tier: an output of 16 bits is mostly finer than its 8-bit input, and what is not
#: made coarser is rounded once by every family.
ROUNDED = dict.fromkeys(SMOKE, "smoke") | {"QUANTIZE/int8_int16": "pr"}


@pytest.fixture(scope="module")
def oracle() -> Oracle:
    return load_oracle()


@pytest.fixture(autouse=True)
def _unshrunk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unit, "SHRINK_RUNS", 0)  # caught or not is the question here


def seat(name: str, file: str = "defects.py", limits: Limits | None = None) -> Seat:
    """Run what cannot take the process down in this one: starting a worker costs more than the cases."""
    handle = registry.resolve(f"{FOLDER / file}:{name}")
    inside = file == "defects.py" and not name.startswith("rounds_")
    return Seat(handle, InProcess(handle.instantiate()) if inside else connect(handle, limits), ())


def smoke(oracle: Oracle, at: str, seats: list[Seat], seed: int) -> dict[str, Counter[tuple[str, str]]]:
    """Return, by runtime, how often each verdict and clause came up that was not expected."""
    op, row = at.split("/")
    lines = run_unit(load_all()[op], row, seats, oracle, TIERS["smoke"], seed)
    found: dict[str, Counter[tuple[str, str]]] = {one.handle.name: Counter() for one in seats}
    for line in lines:
        if line["kind"] == "case" and line["expected"] is False:
            found[line["runtime"]][line["verdict"], line["clause"]] += 1
    for one in seats:
        one.executor.close()
    return found


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("at", list(CAUGHT))
def test_the_smoke_tier_catches_each_defect_and_blames_its_clause(at: str, seed: int, oracle: Oracle) -> None:
    names = [name for defects in CAUGHT[at].values() for name in defects]
    found = smoke(oracle, at, [seat(name) for name in ("carrier", *names)], seed)
    assert not found["carrier"]
    missed = [name for clause, defects in CAUGHT[at].items() for name in defects if not found[name][VALUE, clause]]
    assert not missed


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize(("at", "tier"), list(ROUNDED.items()))
def test_every_other_rounding_is_told_from_the_promised_one(at: str, tier: str, seed: int, oracle: Oracle) -> None:
    op, row = at.split("/")
    spec, twin = load_all()[op], oracle.twins[op]
    legal = [b.case for b in cases(spec, row, oracle.kernels[op], TIERS[tier], seed) if not b.case.violates]
    right = [run_twin(case, twin, FAMILIES[promised_family(spec, row)]) for case in legal]
    for family in ("single_rounding", "float_half_even"):
        other = [run_twin(case, twin, FAMILIES[family]) for case in legal]
        same = all((x == y).all() for a, b in zip(right, other, strict=True) for v, w in zip(a, b, strict=True)
                   for x, y in zip(v, w, strict=True))  # fmt: skip
        assert not same, family


@pytest.mark.parametrize(
    ("name", "verdict"),
    [
        ("always_wrong", "wrong-value"),
        ("lies_about_support", "declined"),
        ("crashes", "crash"),
        ("crashes_at_open", "crash"),
        ("hangs", "timeout"),
        ("exits", "crash"),
        ("wrong_shape", "wrong-shape"),
        ("wrong_dtype", "wrong-dtype"),
        ("too_many_outputs", "wrong-shape"),
    ],
)
def test_the_smoke_tier_gives_misconduct_its_verdict(name: str, verdict: str, oracle: Oracle) -> None:
    limits = Limits(hello=10.0, open=2.0, run=0.2)
    found = smoke(oracle, "ADD/int32", [seat(name, "fakes.py", limits)], seed=0)[name]
    assert sum(count for (kind, _), count in found.items() if kind == verdict) > 0


def test_the_smoke_tier_catches_what_is_always_wrong_on_every_row_of_an_integer_op(oracle: Oracle) -> None:
    rows = [row for row in load_all()["ABS"].rows if row != "float16"]  # which the runtime behind the fake lacks
    for row in rows:
        found = smoke(oracle, f"ABS/{row}", [seat("always_wrong", "fakes.py")], seed=1)["always_wrong"]
        assert any(kind == "wrong-value" for kind, _ in found), row


def test_who_declines_and_claims_nothing_is_not_blamed(oracle: Oracle) -> None:
    assert not smoke(oracle, "ADD/int32", [seat("declines", "fakes.py")], seed=0)["declines"]
