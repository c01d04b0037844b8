"""`opconform list`: what there is, for people and for scripts."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated

import typer

from opconform.harness.cli.common import AS_EXPECTED, console
from opconform.harness.registry import Handle, claims_row, names, resolve
from opconform.harness.spec import OpSpec
from opconform.harness.spec_load import load_all

HELP = """\
The objects have the keys op, row, runtime and target as they apply. With --runtime only what that runtime claims
is listed: `list rows --runtime micro` are the rows it must pass.

Example: opconform list rows --runtime tflm --json
"""

Entry = Mapping[str, str]


def register(app: typer.Typer) -> None:
    """Add the subcommand."""
    app.command("list", help=HELP)(command)


def command(
    what: Annotated[str, typer.Argument(metavar="ops|rows|runtimes|targets", help="What to list.")],
    runtime: Annotated[
        list[str] | None, typer.Option("--runtime", metavar="NAME[@TARGET]", help="Only what it claims; repeatable.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print an array of objects.")] = False,
) -> int:
    """List things."""
    if what not in LISTS:
        raise typer.BadParameter(f"list {what}: unknown; allowed: {', '.join(LISTS)}")
    entries = LISTS[what](load_all(), [resolve(name) for name in runtime or ()])
    if as_json:
        print(json.dumps(entries, indent=1))
        return AS_EXPECTED
    for entry in entries:
        console().print(_shown(entry), markup=False)
    return AS_EXPECTED


def _shown(entry: Entry) -> str:
    case = "/".join(entry[key] for key in ("op", "row") if key in entry)
    place = "@".join(entry[key] for key in ("runtime", "target") if key in entry)
    return "  ".join(part for part in (case, place) if part)


def ops(specs: Mapping[str, OpSpec], chosen: Sequence[Handle]) -> list[Entry]:
    """Return every op, or those of which a chosen runtime claims a row."""
    if not chosen:
        return [{"op": op} for op in specs]
    pairs = dict.fromkeys((entry["op"], entry["runtime"], entry["target"]) for entry in rows(specs, chosen))
    return [{"op": op, "runtime": runtime, "target": target} for op, runtime, target in pairs]


def rows(specs: Mapping[str, OpSpec], chosen: Sequence[Handle]) -> list[Entry]:
    """Return every row, or those that a chosen runtime claims."""
    pairs = [(op, row) for op, spec in specs.items() for row in spec.rows]
    if not chosen:
        return [{"op": op, "row": row} for op, row in pairs]
    return [
        {"op": op, "row": row, "runtime": handle.name, "target": handle.at}
        for handle in chosen
        for op, row in pairs
        if claims_row(handle.manifest, op, row)
    ]


def runtimes(specs: Mapping[str, OpSpec], chosen: Sequence[Handle]) -> list[Entry]:
    """Return every installed runtime with what its bare name means."""
    return [{"runtime": handle.name, "target": handle.at} for handle in chosen or map(resolve, names())]


def targets(specs: Mapping[str, OpSpec], chosen: Sequence[Handle]) -> list[Entry]:
    """Return everything that may follow the @ of each runtime."""
    found: list[Entry] = []
    for handle in chosen or map(resolve, names()):
        places = dict.fromkeys((*handle.manifest.variants, *handle.manifest.targets))
        found += [{"runtime": handle.name, "target": place} for place in places]
    return found


LISTS: Mapping[str, Callable[[Mapping[str, OpSpec], Sequence[Handle]], list[Entry]]] = {
    "ops": ops,
    "rows": rows,
    "runtimes": runtimes,
    "targets": targets,
}
