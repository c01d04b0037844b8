"""`opconform serve`: the project's inference server."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from opconform.harness.cli.common import AS_EXPECTED
from opconform.harness.serve import LOOPBACK, MOST_BYTES, MOST_MODELS, Listening, Settings, serve

HELP = """\
Each file is a model of its name without .tflite; others can be brought by the model repository extension of v2.
It listens on loopback unless --host says otherwise, and ends with Ctrl-C. Needs: pip install 'opconform[serving]'.

Example: opconform serve specs/models/digits_int8.tflite --port 8080 --grpc-port 8081
"""


def register(app: typer.Typer) -> None:
    """Add the subcommand."""
    app.command("serve", help=HELP)(command)


def command(
    files: Annotated[
        list[Path] | None, typer.Argument(metavar="[FILE.tflite]...", help="Models to begin with.")
    ] = None,
    host: Annotated[
        str, typer.Option(help="Where to listen; another than loopback lets other machines in.")
    ] = LOOPBACK,
    port: Annotated[int, typer.Option(min=0, max=65535, help="For HTTP; 0: any that is free.")] = 8080,
    grpc_port: Annotated[int, typer.Option(min=0, max=65535, help="For gRPC; 0: any that is free.")] = 8081,
    most_bytes: Annotated[int, typer.Option(min=1024, help="The largest request that is taken.")] = MOST_BYTES,
    most_models: Annotated[int, typer.Option(min=1, help="How many models are held at once.")] = MOST_MODELS,
    as_json: Annotated[bool, typer.Option("--json", help="Say as one line of JSON where it listens.")] = False,
) -> int:
    """Serve models."""

    def ready(listening: Listening) -> None:
        names = ", ".join(listening.models) or "none yet"
        text = f"serving {listening.http} and {listening.grpc}, models: {names}; Ctrl-C ends it"
        print(json.dumps(asdict(listening)) if as_json else text, flush=True)

    serve(Settings(host, port, grpc_port, most_bytes, most_models, tuple(files or ())), ready)
    return AS_EXPECTED
