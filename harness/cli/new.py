"""`opconform new op|runtime`: files to start from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from opconform.harness import scaffold
from opconform.harness.cli.common import AS_EXPECTED, console

HELP = """\
Example: opconform new op FLOOR_DIV
"""
OP_HELP = """Write specs/ops/NAME.yaml and runtimes/reference/kernels/NAME.py with <placeholders>.

`opconform lint --op NAME` refuses them until every placeholder is filled in. Where the TFLite schema has the op and
harness/schema.py does not know it yet, what to add there is printed.

Example: opconform new op FLOOR_DIV
"""
RUNTIME_HELP = """Write runtimes/NAME/ (manifest and adapter) and its test: a working skeleton that declines all.

The line for the entry points in pyproject.toml is printed; after that `pip install -e .` makes the name known.
docs/adding-a-runtime.md goes on from there.

Example: opconform new runtime my_engine
"""

Name = Annotated[str, typer.Argument(metavar="NAME", help="The new name.")]
Root = Annotated[Path | None, typer.Option("--root", metavar="DIR", help="The checkout; default: the one installed.")]


def register(app: typer.Typer) -> None:
    """Add the group."""
    group = typer.Typer(help=HELP, no_args_is_help=True)
    group.command("op", help=OP_HELP)(op)
    group.command("runtime", help=RUNTIME_HELP)(runtime)
    app.add_typer(group, name="new")


def op(name: Name, root: Root = None) -> int:
    """Start an op."""
    low = name.lower()
    advice = scaffold.schema_advice(name)
    return _write(root, scaffold.op_files(name), [advice] if advice else [], f"opconform lint --op {low.upper()}")


def runtime(name: Name, root: Root = None) -> int:
    """Start a runtime."""
    advice = [
        'add below [project.entry-points."opconform.runtimes"] in pyproject.toml:',
        f"    {scaffold.entry_point(name)}",
    ]
    return _write(root, scaffold.runtime_files(name), advice, f"pip install -e . && opconform smoke {name}")


def _write(root: Path | None, files: Mapping[str, str], advice: list[str], following: str) -> int:
    out = console()
    for path in scaffold.write_new(scaffold.checkout(root), files):
        out.print(f"wrote {path}", markup=False)
    for line in (*advice, f"then: {following}"):
        out.print(line, markup=False)
    return AS_EXPECTED
