"""NAME@boards: in a run each row goes to one board, in the nightly tier to all; log and totals name the real one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from opconform.harness import manifest, registry, runner
from opconform.harness.generate.engine import TIERS
from opconform.harness.registry import UnknownRuntime, resolve, resolve_all
from opconform.harness.rotation import Rotation, asked_for, rotation
from opconform.harness.spec_load import load_all
from opconform.harness.totals import Totals
from opconform.targets.boards import target_names

TWO = ("cortex-m0", "cortex-m4")
ROWS = [(op, row) for op, spec in load_all().items() for row in spec.rows]


def test_a_row_has_one_board_and_as_many_seeds_as_boards_have_had_all() -> None:
    labels = ("a", "b", "c")
    for op, row in ROWS[:50]:
        turns = [[label for label in labels if Rotation(labels, seed).takes(label, op, row)] for seed in range(3)]
        assert sorted(turns) == [["a"], ["b"], ["c"]]


@pytest.mark.parametrize("seed", range(3))
def test_every_board_is_in_every_run_of_all_ops(seed: int) -> None:
    turns = Rotation(target_names(), seed)
    shares = [len(turns.share(name, ROWS)) for name in target_names()]
    assert sum(shares) == len(ROWS)
    assert min(shares) > len(ROWS) / len(shares) / 2


def test_a_runtime_that_does_not_rotate_has_every_row() -> None:
    assert Rotation(("a", "b"), 0).share("lite@host", ROWS) == ROWS


def test_the_name_means_every_board_and_one_that_is_also_named_runs_every_row() -> None:
    handles = asked_for(["lite", "micro@cortex-m4", "micro@boards"])
    assert [handle.label for handle in handles] == [
        *("lite@host", "micro@cortex-m4"),
        *(f"micro@{name}" for name in target_names() if name != "cortex-m4"),
    ]
    assert "micro@cortex-m4" not in rotation(handles, "smoke", 0).labels
    assert len(rotation(handles, "pr", 0).labels) == len(target_names()) - 1


def test_in_the_nightly_tier_every_board_runs_every_row() -> None:
    assert rotation(asked_for(["micro@boards"]), "nightly", 0).labels == ()


def test_where_one_runtime_is_needed_the_boards_are_named() -> None:
    with pytest.raises(UnknownRuntime, match="'micro@boards': one board is needed here, allowed are cortex-m0"):
        resolve("micro@boards")
    with pytest.raises(UnknownRuntime, match="lite has no 'boards'"):
        resolve_all("lite@boards")


@pytest.fixture
def two_boards(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let there be two boards, whose images other tests build anyway."""
    monkeypatch.setattr(manifest, "target_names", lambda: TWO)
    registry._card_of.cache_clear()
    yield
    registry._card_of.cache_clear()


def test_cases_that_a_board_has_no_memory_for_do_not_make_up_a_row_s_least_number() -> None:
    totals, line = (
        Totals(),
        {"kind": "case", "op": "ABS", "row": "int8", "runtime": "micro", "target": "cortex-m0"},
    )
    totals.add(line | {"verdict": "declined", "cases": 100, "expected": "no memory", "instead": "ABS/int8/0"})
    for verdict, cases in (("declined", 3), ("pass", 20)):  # what a manifest's limit takes out was asked
        totals.add(line | {"verdict": verdict, "cases": cases, "expected": True})
    handle = resolve("micro@cortex-m0")
    thin = runner._thin(totals, [(handle, [("ABS", "int8")])], TIERS["smoke"])
    assert thin == ["ABS/int8 micro@cortex-m0: 23 cases, the tier asks for 24"]


def ran(log: Path) -> dict[tuple[str, str], set[str]]:
    """Return which boards judged each row."""
    found: dict[tuple[str, str], set[str]] = {}
    lines: list[dict[str, Any]] = [json.loads(text) for text in log.read_text().splitlines()]
    for line in lines:
        if line["kind"] == "case":
            found.setdefault((line["op"], line["row"]), set()).add(line["target"])
    return found


def test_a_run_gives_each_row_to_one_board_and_the_next_seed_to_the_other(two_boards: None, tmp_path: Path) -> None:
    runs = []
    for seed in (0, 1):
        log = tmp_path / f"{seed}.jsonl"
        selection = runner.Selection(("micro@boards",), ("RESHAPE",), ("int*", "bool"), seed=seed)
        result = runner.run(selection, log)
        assert result.footer["thin"] == []
        assert result.footer["unexpected"] == sum(  # a budget may be exceeded while a kernel is being written
            json.loads(text)["kind"] == "cost" and not json.loads(text)["expected"] for text in log.open()
        )
        runs.append(ran(log))
    assert runs[0].keys() == runs[1].keys()
    assert all(len(runs[0][row]) == len(runs[1][row]) == 1 for row in runs[0])
    assert all(runs[0][row] | runs[1][row] == set(TWO) for row in runs[0])
    assert {next(iter(boards)) for boards in runs[0].values()} == set(TWO)
