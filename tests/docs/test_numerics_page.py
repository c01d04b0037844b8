"""What docs/numerics.md computes is true."""

import re
from pathlib import Path

import pytest

from opconform.harness.numerics import FAMILIES

PAGE = Path(__file__).parents[2] / "docs" / "numerics.md"

pytestmark = pytest.mark.skipif(not PAGE.is_file(), reason="the docs are not part of the wheel")


def blocks() -> list[str]:
    return re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)


def test_the_examples_hold() -> None:
    assert len(blocks()) == 2
    for number, block in enumerate(blocks()):
        assert block.count("assert ") >= 3
        exec(compile(block, f"{PAGE.name} block {number}", "exec"), {})


def test_every_family_has_a_row() -> None:
    rows = re.findall(r"^\| `(\w+)` \|", PAGE.read_text(), re.MULTILINE)
    assert [row for row in rows if row in FAMILIES] == rows[: len(FAMILIES)]
    assert set(FAMILIES) <= set(rows)
