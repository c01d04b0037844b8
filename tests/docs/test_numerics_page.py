"""What docs/numerics.md computes is true."""

import re
from pathlib import Path

import pytest

from opconform.harness.numerics import FAMILIES

PAGE = Path(__file__).parents[2] / "docs" / "numerics.md"

pytestmark = pytest.mark.skipif(not PAGE.is_file(), reason="the docs are not part of the wheel")


def blocks() -> list[str]:
    return re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("number", range(2))
def test_the_examples_hold(number: int) -> None:
    exec(compile(blocks()[number], f"{PAGE.name} block {number}", "exec"), {})


def test_every_family_has_a_row() -> None:
    rows = re.findall(r"^\| `(\w+)` \|", PAGE.read_text(), re.MULTILINE)
    assert [row for row in rows if row in FAMILIES] == rows[: len(FAMILIES)]
    assert set(FAMILIES) <= set(rows)
