"""A declared limit covers the cases that its expression names, and no others."""

from pathlib import Path

import numpy as np
import pytest

from opconform.harness import registry
from opconform.harness.expr import compile_expression
from opconform.harness.limits import LimitError, declared_limit, environment
from opconform.harness.model import DTYPES, Array, Case, Input, Quant, Shape, TensorType
from opconform.harness.runtime import Limit, Manifest


def case(shape: Shape, absent: bool = False) -> Case:
    x = TensorType("x", "int8", shape, Quant((0.5,), (3,)))
    bias = TensorType("bias", "int32", (4,))
    slots = (Input(x, "input"), Input(bias, "absent" if absent else "constant", np.zeros(4, np.int32)))
    outputs = (TensorType("y", "int8", (*shape, 2)),)
    return Case("OP/int8/abc", "OP", "int8", {"stride": 2}, {"N": 7}, slots, outputs, ())


@pytest.mark.parametrize(
    ("when", "holds"),
    [
        ("smallest_dim == 0", False),
        ("largest_rank > 2", True),
        ("largest_rank > 3", False),
        ("'bias' in absent", False),
        ("'x' in fed and 'bias' not in fed", True),
        ("N == 7 and stride == 2", True),
        ("x.scale == 0.5 and x.zero_point == 3", True),
        ("x.dtype == 'int8'", True),
        ("dim(bias.shape, 0) == 4", True),
        ("quantized", True),
    ],
)
def test_an_expression_sees_the_case(when: str, holds: bool) -> None:
    limit = Limit("OP", when, "because")
    assert declared_limit(Manifest(name="r", limits=(limit,)), case((2, 3))) == (limit if holds else None)


def test_the_four_names_of_every_case() -> None:
    env = environment(case((0, 5), absent=True))
    assert (env["smallest_dim"], env["largest_rank"], env["absent"], env["fed"]) == (0, 3, ("bias",), ("x",))


def test_a_case_without_quantized_tensors_is_not_quantized() -> None:
    plain = TensorType("x", "int8", (2,))
    assert not environment(Case("OP/r/0", "OP", "r", {}, {}, (Input(plain, "input"),), (plain,), ()))["quantized"]


@pytest.mark.parametrize(
    ("values", "holds"),
    [
        (np.asarray([0.0, 2.0**-126], np.float32), False),
        (np.asarray([1.0, -(2.0**-127)], np.float32), True),
        (np.asarray([2.0**-130], DTYPES["bfloat16"][0]), True),
        (np.asarray([1e-45], np.float64), True),
        (np.asarray([1 + 1e-45j], np.complex64), True),
        (np.asarray([2.0**-24], np.float16), False),
        (np.asarray([float("nan"), float("inf")], np.float32), False),
        (np.asarray([1], np.int32), False),
    ],
)
def test_subnormal_numbers_are_seen_whether_fed_or_constant(values: Array, holds: bool) -> None:
    tensor = TensorType("x", "float32", values.shape)
    fed = Case("OP/r/0", "OP", "r", {}, {}, (Input(tensor, "input"),), (tensor,), ((values,),))
    constant = Case("OP/r/0", "OP", "r", {}, {}, (Input(tensor, "constant", values),), (tensor,), ())
    assert environment(fed)["subnormal"] is environment(constant)["subnormal"] is holds


def test_a_limit_of_other_rows_is_not_computed() -> None:
    assert declared_limit(Manifest(name="r", limits=(Limit("OTHER", "no_such_name", "x"),)), case((1,))) is None


def test_a_limit_that_cannot_be_computed_says_which() -> None:
    manifest = Manifest(name="r", limits=(Limit("OP/*", "no_such_name > 1", "x"),))
    with pytest.raises(LimitError, match=r"r: limit 'no_such_name > 1' of OP/\*, case OP/int8/abc: .*unknown symbol"):
        declared_limit(manifest, case((1,)))


def test_the_limits_of_every_installed_runtime_compile() -> None:
    for manifest in registry.manifests():
        for limit in manifest.limits:
            compile_expression(limit.when)
            assert limit.why


def test_every_installed_manifest_lies_beside_its_code() -> None:
    folder = Path(registry.__file__).parents[1] / "runtimes"
    assert {path.parent.name for path in folder.glob("*/runtime.yaml")} <= set(registry.names())
