"""Runs on a cluster that is not there: one line, and no log is begun."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest


def test_without_ray_one_line_says_what_to_install_and_an_older_log_stays(
    refused: Callable[..., str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    log = tmp_path / "run.jsonl"
    log.write_text("older")
    line = refused("run", "--op", "ABS", "--row", "float32", "--runtime", "lite", "--engine", "ray", "--log", log)
    assert "Ray is not installed; use tox -e ray, or install opconform[ray]" in line
    assert log.read_text() == "older"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--engine", "slurm"), "--engine slurm: unknown; allowed: local, ray"),
        (("--address", "127.0.0.1:1"), "--address needs --engine ray"),
        (("--shard", "5/4"), "--shard '5/4' is no part of a run; allowed: K/N"),
    ],
)
def test_an_engine_or_part_that_is_none_is_one_line(
    refused: Callable[..., str], options: tuple[str, ...], words: str
) -> None:
    assert words in refused("run", "--op", "ABS", "--runtime", "lite", *options)
