"""Expressions: what is allowed computes, everything else is refused with the part that is to blame."""

from __future__ import annotations

import numpy as np
import pytest

from opconform.harness.expr import ExpressionError, compile_expression
from opconform.harness.expr_functions import SlotView


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1 + 2 * N", 7),
        ("-(N // 2)", -1),
        ("N % 2 == 1 and not N > 3", True),
        ("1 <= N <= 3", True),
        ("1 <= N < 3", False),
        ("[N, 2][0]", 3),
        ("N if row == 'int8' else 0", 3),
        ("'8' in row", True),
        ("max([N, 5], 2)", 5),
        ("broadcast([2, 1], [3])", (2, 3)),
        ("window(7, 3, 2, 1, 'VALID')", 3),
        ("window(7, 3, 2, 1, 'SAME')", 4),
        ("2 ** -1", 0.5),
        ("inserted([2, 3], -1, N)", (2, 3, 3)),
        ("inserted([2, 3], 0, N)", (3, 2, 3)),
        ("squeezed([1, 2, 1], [-1])", (1, 2)),
        ("squeezed([1, 2, 1], [])", (2,)),
        ("permuted([4, 5, 6], [2, -3, 1])", (6, 4, 5)),
        ("permuted(permuted([4, 5, 6], [2, -3, 1]), inverted([2, -3, 1]))", (4, 5, 6)),
        ("inverted([])", ()),
        ("tiled([2, 3], [0, 2])", (0, 6)),
        ("column([[1, 2], [3, 4]], 1)", (2, 4)),
    ],
)
def test_the_allowed_arithmetic_computes(text: str, value: object) -> None:
    assert compile_expression(text)({"N": 3, "row": "int8"}) == value


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os')",
        "open('/etc/passwd')",
        "eval('1')",
        "getattr(N, 'real')",
        "N.__class__",
        "N.real",
        "(1).bit_length",
        "x.scale.real",
        "[].append",
        "lambda: 1",
        "[i for i in N]",
        "{1: 2}",
        "{1}",
        "f'{N}'",
        "b'bytes'",
        "None",
        "...",
        "(N := 1)",
        "N[0:1]",
        "N | 1",
        "N << 1000",
        "~N",
        "N is 1",
        "max(*N)",
        "max(N, key=1)",
        "N; N",
        "import os",
        "yield 1",
        "",
        "1 +",
        "(" * 500 + "1" + ")" * 500,
    ],
)
def test_anything_else_is_refused_before_it_runs(text: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        compile_expression(text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    ["2 ** 999999", "2 ** -999999", "((2 ** 4096) ** 4096) ** 4096", "'a' * 99999999", "[0] * 10 ** 9", "2.0 ** 4096"],
)
def test_a_power_or_repetition_that_fills_the_memory_is_refused(text: str) -> None:
    with pytest.raises(ExpressionError, match="cannot be computed"):
        compile_expression(text)({})


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("M", "unknown symbol 'M'; known: N"),
        ("N / 0", "division by zero"),
        ("[1][5]", "out of range"),
        ("N + 'a'", "unsupported operand"),
        ("broadcast([2], [3])", "broadcast"),
        ("axis.scale", "unknown symbol 'axis'"),
        ("N.scale", "no attribute 'scale'"),
    ],
)
def test_what_fails_at_its_evaluation_is_one_line_with_the_text(text: str, found: str) -> None:
    with pytest.raises(ExpressionError, match=found) as caught:
        compile_expression(text)({"N": 3})
    assert f"'{text}'" in str(caught.value)


def test_names_are_the_symbols_that_it_needs() -> None:
    assert compile_expression("max(x.scale) * N + size(A)").names == {"x", "N", "A"}


def test_an_unknown_function_lists_the_known_ones() -> None:
    with pytest.raises(ExpressionError, match=r"no function sin; known: abs, absmax, .*window"):
        compile_expression("sin(1)")


@pytest.mark.parametrize(("values", "distance"), [([0.0, 1.0], 0.5), ([0.1, 0.75], 0.25), ([2.5], 0.0), ([], 0.5)])
def test_the_nearest_value_tells_how_far_a_slot_is_from_a_middle(values: list[float], distance: float) -> None:
    view = SlotView("float32", (len(values),), values=np.array(values))
    assert compile_expression("off_middle(x, 2.0, 1.0)")({"x": view}) == pytest.approx(distance)
