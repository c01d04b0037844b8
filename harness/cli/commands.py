"""The subcommands by name. A module is imported when its subcommand is called: most need much that others do not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup
from typer.main import get_group


@dataclass(frozen=True, slots=True)
class Command:
    """The module of this folder that has a subcommand, and the first sentence of its help."""

    module: str
    summary: str


COMMANDS: Mapping[str, Command] = {
    "run": Command("run", "Run the conformance tests and judge every runtime."),
    "conformance": Command(
        "conformance",
        "Run every op, then whole models, on every runtime that is light to install, and write all reports.",
    ),
    "replay": Command(
        "replay", "Run one case again from its id, and show inputs, the right answer and what each runtime answers."
    ),
    "report": Command("report", "Render one run log, or several merged into one, without running anything."),
    "diff": Command("report", "Say what changed from one run log to another: verdicts, worst errors and costs."),
    "list": Command("listing", "List ops, rows, runtimes or targets: one a line, or --json: an array of objects."),
    "show": Command(
        "show", "Show what an op's spec says: slots, attributes, rows, clauses with file and line, laws and budgets."
    ),
    "model": Command("model", "Run a whole .tflite on several runtimes with the same inputs and compare all outputs."),
    "models": Command("models", "Run whole trained models on held-out data, side by side on several runtimes."),
    "size": Command(
        "size",
        "Measure what micro costs on a board: flash of core, libraries and every op; stack, arena and instructions.",
    ),
    "bench": Command("bench", "Measure and print the figures that the documentation speaks of; nothing is judged."),
    "smoke": Command(
        "smoke",
        "Test the adapter of a runtime, not its kernels: does it answer, refuse, recover and forget as it should?",
    ),
    "expect": Command("expect", "Keep runtimes/NAME/expected/OP.yaml true: known deviations, each with its reason."),
    "lint": Command("lint", "Check every spec: does it load and generate, and agree with the reference?"),
    "schema": Command(
        "lint", "Print the JSON schema of the spec language, for editors; --write renews specs/schema.json."
    ),
    "new": Command(
        "new", "Write the files that a new op or a new runtime starts from; nothing that exists is overwritten."
    ),
    "export": Command(
        "export",
        "Write test vectors for devices that have no Python: one-op models, inputs, what is right and what is allowed.",
    ),
    "verify": Command("verify", "Judge the outputs of a device for vectors that `opconform export` wrote to DIR."),
    "merge": Command("merge", "Make the logs of all parts of a run (opconform run --shard K/N) one log."),
    "fuzz": Command(
        "fuzz", "Fuzz micro on this machine under the address and undefined-behaviour sanitizers, for a time."
    ),
    "serve": Command("serve", "Serve .tflite models over v1, v2 and gRPC with kserve and the runtime lite."),
    "load": Command(
        "load", "Load a server with many clients at once, and compare every answer with lite's, bit for bit."
    ),
    "claims": Command("claims", "Measure what manifests claim of their runtimes, and show both side by side."),
}


class Commands(TyperGroup):
    """A group whose subcommands are known by name and summary, and imported once one is called."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return name, subcommand and its arguments; raises the usage error of typer for an unknown name."""
        name, known, rest = super().resolve_command(ctx, args)
        return name, imported(name) if name and known else None, rest


def register(app: typer.Typer) -> None:
    """Add the name and summary of every subcommand."""
    for name, command in COMMANDS.items():
        app.command(name, help=command.summary)(_stand_in)


def _stand_in() -> None:
    """Stand for a subcommand in the list of all."""


def imported(name: str) -> Any:
    """Import a subcommand; its help begins with its summary."""
    known, app = COMMANDS[name], typer.Typer()
    app.callback()(_stand_in)  # makes a group of it, however many commands the module has
    import_module(f"opconform.harness.cli.{known.module}").register(app)
    command = get_group(app).commands[name]
    command.help = f"{known.summary}\n\n{command.help}"
    return command
