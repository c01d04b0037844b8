"""`opconform expect`: known deviations, written from a run and checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated

import typer
import yaml

from opconform.harness.cli.common import AS_EXPECTED, DEVIATIONS, console
from opconform.harness.expectations import Expectation, load_expectations
from opconform.harness.expectations_update import (
    UpdateError,
    entries,
    joined,
    read_log,
    renewed,
    runtimes_of,
    stale,
    with_example,
    without,
)
from opconform.harness.generate.build import rebuild
from opconform.harness.generate.codec import BadCaseId
from opconform.harness.registry import names, resolve
from opconform.harness.runner import load_oracle
from opconform.harness.runtime import Manifest
from opconform.harness.spec import OpSpec
from opconform.harness.spec_load import load_all, spec_folder

HELP = """\
--update LOG adds an entry for every kind of unexpected failure of a complete log; rows of an op that fail alike
share one. Entries that stand there keep their text, and comments stay. Write the reason in place of the
placeholder: until then no run starts. --prune also cuts out entries that explained nothing. --refresh gives
entries whose example is no case any more (a changed spec has other cases) the smallest case that they explained.
--check finds entries that cannot match: unknown rows, targets or examples.

Exit code 0: nothing to do, or done; 1: --check found something; 2: bad input.

Example: opconform expect --update out/run.jsonl --runtime tflm --prune
"""


def register(app: typer.Typer) -> None:
    """Add the subcommand."""
    app.command("expect", help=HELP)(command)


def command(
    update: Annotated[Path | None, typer.Option("--update", metavar="LOG", help="Add what failed in this log.")] = None,
    runtime: Annotated[list[str] | None, typer.Option("--runtime", metavar="NAME", help="Only these.")] = None,
    prune: Annotated[bool, typer.Option("--prune", help="Cut out what explained nothing in the log.")] = False,
    refresh: Annotated[bool, typer.Option("--refresh", help="Renew examples that are gone, from the log.")] = False,
    check: Annotated[bool, typer.Option("--check", help="Check all entries against specs and manifests.")] = False,
) -> int:
    """Update or check expectations."""
    if (update is None) == (not check) or ((prune or refresh) and update is None):
        raise typer.BadParameter("give either --update LOG (with or without --prune and --refresh) or --check")
    if update is None:
        return _check(tuple(runtime or names()))
    lines = read_log(update)
    ran = runtimes_of(lines)
    for name in runtime or ():
        if name not in ran:
            raise UpdateError(f"{update}: runtime {name} did not run in it; it has {', '.join(ran)}")
    for name in runtime or ran:
        if refresh:
            _refresh(lines, resolve(name).manifest)
        _update(lines, resolve(name).manifest, prune)
    return AS_EXPECTED


def expected_folder(name: str) -> Path:
    """Return the folder of a runtime of this package, one file per op; UpdateError for one that lives elsewhere."""
    folder = spec_folder().parent.parent / "runtimes" / name
    if not folder.is_dir():
        raise UpdateError(f"runtime {name} has no folder {folder}; only runtimes of this package have expectations")
    return folder / "expected"


def _refresh(lines: Sequence[Mapping[str, object]], manifest: Manifest) -> None:
    folder = expected_folder(manifest.name)
    known = {entry.where: entry for entry in load_expectations(manifest.name, folder)}
    for where, example in renewed(lines, manifest, list(known.values())).items():
        name, line = _place(known[where])
        path = folder / name
        text = with_example(path.read_text(encoding="utf-8"), line, known[where].example, example)
        path.write_text(text, encoding="utf-8")
        console().print(f"{where}: {known[where].example} -> {example}", markup=False)


def _update(lines: Sequence[Mapping[str, object]], manifest: Manifest, prune: bool) -> None:
    folder, out = expected_folder(manifest.name), console()
    known = load_expectations(manifest.name, folder)
    unused = stale(lines, manifest, known)
    new = list(entries(lines, manifest))
    for entry in unused:
        out.print(f"{entry.where} {entry.case}: explained nothing{'; cut out' if prune else ''}", markup=False)
    cut = [_place(entry) for entry in unused] if prune else []
    for name in sorted({f"{op.lower()}.yaml" for op, _ in new} | {file for file, _ in cut}):
        added = [text for op, text in new if f"{op.lower()}.yaml" == name]
        _rewrite(folder / name, [line for file, line in cut if file == name], added)
    out.print(f"{folder}: {len(new)} added, {len(cut)} cut out, {len(known)} stood there", markup=False)


def _place(entry: Expectation) -> tuple[str, int]:
    file, _, line = entry.where.rpartition(":")
    return Path(file).name, int(line)


def _rewrite(path: Path, gone: Sequence[int], new: Sequence[str]) -> None:
    text = without(path.read_text(encoding="utf-8"), gone) if path.is_file() else ""
    path.parent.mkdir(exist_ok=True)
    if new or yaml.safe_load(text):
        path.write_text(joined(text, new), encoding="utf-8")
    else:
        path.unlink()


def _check(chosen: Sequence[str]) -> int:
    specs, kernels, defects = load_all(), load_oracle().kernels, []
    for name in chosen:
        manifest = resolve(name).manifest
        for entry in load_expectations(name, expected_folder(name)):
            defects += [f"{entry.where}: {text}" for text in _defects(entry, manifest, specs)]
            defects += _bad_example(entry, specs, kernels)
    for defect in defects:
        console().print(defect, markup=False)
    return DEVIATIONS if defects else AS_EXPECTED


def _defects(entry: Expectation, manifest: Manifest, specs: Mapping[str, OpSpec]) -> list[str]:
    places = (*manifest.variants, *manifest.targets)
    found = [
        f"at {glob} is no target or variant of {manifest.name}; allowed: {', '.join(places)}"
        for glob in entry.at
        if not any(fnmatchcase(place, glob) for place in places)
    ]
    at = next((p for p in places if not entry.at or any(fnmatchcase(p, glob) for glob in entry.at)), "")
    rows = [(op, row) for op, spec in specs.items() for row in spec.rows if entry.covers(manifest.name, at, op, row)]
    if not rows:
        return [*found, f"case {entry.case} matches no row; mend the glob or remove the entry"]
    labels = {c.label for op, _ in rows for c in specs[op].clauses} | {"LD", "LU", ""}
    return found + [
        f"clause {glob} is no clause of {entry.case}; mend it or remove the entry"
        for glob in entry.clause
        if not any(fnmatchcase(label, glob) for label in labels)
    ]


def _bad_example(entry: Expectation, specs: Mapping[str, OpSpec], kernels: Mapping[str, object]) -> list[str]:
    if not entry.example:
        return []
    try:
        rebuild(entry.example, specs, kernels)  # type: ignore[arg-type]
    except BadCaseId as error:
        return [f"{entry.where}: example: {error}"]
    return []
