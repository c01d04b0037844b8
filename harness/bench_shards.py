"""What a run in parts costs on one machine, and what a second worker of a Ray cluster brings."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from opconform.harness.crew_ray import connect, disconnect
from opconform.harness.runner import Selection, TargetFailed, run
from opconform.harness.runtime import Unavailable

#: Ops that differ in what they cost, as those of a whole run do; minutes of work in the tier `nightly`.
OPS = ("ADD", "DEPTHWISE_CONV_2D", "MEAN", "SOFTMAX")
RUNTIME = "lite"
PARTS = 4

Row = tuple[str, float | None, str, str]


def shard_rows(ops: Sequence[str], tier: str) -> Iterator[Row]:
    """Measure processor time, which a loaded machine changes little: of one run, and of its parts with their merging.

    A row is name, value (None: not measured, the note says why), unit and note.
    """
    chosen = [word for op in ops for word in ("--op", op)] + ["--runtime", RUNTIME]
    with tempfile.TemporaryDirectory() as name:
        try:
            whole, parts, merging = _measured(chosen, tier, Path(name))
        except TargetFailed as error:
            yield f"{PARTS} parts", None, "cpu s", str(error)
            return
    yield "one run", whole, "cpu s", f"{RUNTIME}, tier {tier}, --jobs 1"
    yield f"{PARTS} parts", parts, "cpu s", "each a process of its own"
    yield "merging", merging, "cpu s", ""
    yield "overhead of parts and merging", 100 * ((parts + merging) / whole - 1), "%", "the start of processes"


def _measured(chosen: Sequence[str], tier: str, folder: Path) -> tuple[float, float, float]:
    """Return the processor seconds of the whole, of its parts, and of merging their logs."""
    _seconds(["run", *chosen])  # the lightest tier: compiles, fills caches
    run = ["run", *chosen, "--tier", tier]
    whole = _seconds([*run, "--log", str(folder / "whole.jsonl")])
    logs = [folder / f"{number}.jsonl" for number in range(1, PARTS + 1)]
    shards = [["--shard", f"{number}/{PARTS}", "--log", str(log)] for number, log in enumerate(logs, 1)]
    parts = sum(_seconds([*run, *shard]) for shard in shards)
    return whole, parts, _seconds(["merge", *map(str, logs), "--log", str(folder / "merged.jsonl")])


def _seconds(words: Sequence[str]) -> float:
    """Return the processor time of a command of opconform and of all that it waited for. Raises TargetFailed."""
    before = os.times()
    ended = subprocess.run([sys.executable, "-m", "opconform", *words], capture_output=True, text=True, check=False)
    after = os.times()
    if ended.returncode not in (0, 1):
        last = (ended.stderr.strip().splitlines() or [""])[-1]
        raise TargetFailed(f"opconform {words[0]} ended with {ended.returncode}: {last[:200]}")
    return after.children_user + after.children_system - before.children_user - before.children_system


def ray_rows(ops: Sequence[str], tier: str) -> Iterator[Row]:
    """Measure how many times faster two workers of a local cluster are than one; the cluster runs before."""
    try:
        connect("")
    except Unavailable as error:
        yield "2 workers against 1", None, "times", str(error)
        return
    selection = Selection((RUNTIME,), tuple(ops), tier=tier, engine="ray")
    try:
        run(replace(selection, ops=tuple(ops)[:1], jobs=2), None)  # every node has imported what it needs
        seconds = {}
        for jobs in (1, 2):
            began = time.perf_counter()
            run(replace(selection, jobs=jobs), None)
            seconds[jobs] = time.perf_counter() - began
            yield f"{jobs} worker{'s' * (jobs > 1)}", seconds[jobs], "s", f"{RUNTIME}, tier {tier}"
        yield "2 workers against 1", seconds[1] / seconds[2], "times", ""
    finally:
        disconnect()
