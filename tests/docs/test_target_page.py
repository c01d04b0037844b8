"""docs/adding-a-target.md shows a board file that loads, and names every key."""

import re
from dataclasses import fields
from pathlib import Path

import pytest

from opconform.targets.boards import Architecture, Target, load_target, parse_target

PAGE = Path(__file__).parents[2] / "docs" / "adding-a-target.md"

pytestmark = pytest.mark.skipif(not PAGE.is_file(), reason="the docs are not part of the wheel")


def test_the_board_file_of_the_page_is_the_boards_own() -> None:
    shown = re.search(r"^```yaml\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    assert shown
    assert parse_target(shown[1], PAGE.name) == load_target("cortex-m4")


def test_every_key_has_a_row() -> None:
    board, architecture = PAGE.read_text().split("| --- | --- |\n")[1:3]
    assert keys(board) == [field.name for field in fields(Target)]
    assert keys(architecture) == [field.name for field in fields(Architecture)]


def keys(text: str) -> list[str]:
    table = text.split("\n\n", 1)[0]
    return re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)
