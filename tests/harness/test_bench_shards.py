"""Figures of runs in parts and of two workers: what is measured, and what is said where it cannot be."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest

from opconform.harness import bench, bench_shards, crew_ray
from opconform.harness.runtime import Unavailable


def test_parts_and_merging_are_set_against_one_run(monkeypatch: pytest.MonkeyPatch) -> None:
    commands: list[Sequence[str]] = []

    def seconds(words: Sequence[str]) -> float:
        commands.append(words)
        return 1.0 if words[0] == "merge" else 5.0 if "--shard" in words else 20.0

    monkeypatch.setattr(bench_shards, "_seconds", seconds)
    rows = {name: value for name, value, _, _ in bench_shards.shard_rows(("ABS",), "smoke")}
    assert rows["overhead of parts and merging"] == pytest.approx(5.0)
    shards = [words[words.index("--shard") + 1] for words in commands if "--shard" in words]
    assert shards == ["1/4", "2/4", "3/4", "4/4"]


def test_a_run_that_fails_is_a_dash_with_its_reason() -> None:
    (row,) = bench_shards.shard_rows(("NO_SUCH_OP",), "smoke")
    assert row[1] is None
    assert "NO_SUCH_OP: matches no op" in row[3]


def test_without_ray_the_figure_is_a_dash(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    (figure,) = bench.PARTS["ray"](bench.Plan(quick=True))
    assert figure.value is None
    assert "install opconform[ray]" in figure.note


def test_a_folder_of_that_name_is_no_ray(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "ray").mkdir()
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    monkeypatch.delitem(sys.modules, "ray", raising=False)
    with pytest.raises(Unavailable, match="Ray is not installed"):
        crew_ray.connect("")


@pytest.mark.parametrize(("address", "words"), [("", "starts no cluster on this machine"), ("127.0.0.1:1", "no Ray")])
def test_a_cluster_that_cannot_be_joined_is_one_line_that_says_which(
    monkeypatch: pytest.MonkeyPatch, address: str, words: str
) -> None:
    def init(**_: object) -> None:
        raise Exception("the node timed out\nand much more")  # as Ray does

    monkeypatch.setitem(sys.modules, "ray", SimpleNamespace(is_initialized=lambda: False, init=init))
    monkeypatch.setattr(crew_ray, "_answers", lambda address: None)
    with pytest.raises(Unavailable, match=words) as caught:
        crew_ray.connect(address)
    assert "(the node timed out);" in str(caught.value)
