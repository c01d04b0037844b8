"""docs/adding-a-target.md shows a board file that loads, and names every key."""

import re
from dataclasses import fields
from pathlib import Path

import pytest

from opconform.targets.cortex_m.boards import Target, load_target, parse_target

PAGE = Path(__file__).parents[2] / "docs" / "adding-a-target.md"

pytestmark = pytest.mark.skipif(not PAGE.is_file(), reason="the docs are not part of the wheel")


def test_the_board_file_of_the_page_is_the_boards_own() -> None:
    shown = re.search(r"^```yaml\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    assert shown
    assert parse_target(shown[1], PAGE.name) == load_target("cortex-m4")


def test_every_key_has_a_row() -> None:
    rows = re.findall(r"^\| `(\w+)` \|", PAGE.read_text(), re.MULTILINE)
    assert rows == [field.name for field in fields(Target)]
