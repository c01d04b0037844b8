"""`opconform load`: a load test of an inference server."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from opconform.harness.cli.common import AS_EXPECTED, DEVIATIONS, console
from opconform.harness.flatread import ModelError, read_model
from opconform.harness.runner import TargetFailed
from opconform.harness.runtime import Unavailable
from opconform.harness.serve import check_packages
from opconform.harness.serve_load import Figures, measure
from opconform.runtimes.serving.address import PROTOCOLS, BadAddress, parse_address
from opconform.runtimes.serving.client import find_server
from opconform.runtimes.serving.local import start

HELP = """\
Without --url the project's own server is started on loopback with the model. Exit code 0: every request was answered,
and rightly; 1: not so; 2: bad input; 3: no server at --url, which
must have the model by the file's name, or as ?model= says.

Example: opconform load specs/models/digits_int8.tflite --protocol grpc --clients 8 --requests 10000
"""


def register(app: typer.Typer) -> None:
    """Add the subcommand."""
    app.command("load", help=HELP)(command)


def command(
    file: Annotated[Path, typer.Argument(metavar="FILE.tflite", help="The model.")],
    protocol: Annotated[list[str] | None, typer.Option(help=f"One of {', '.join(PROTOCOLS)}; repeatable.")] = None,
    url: Annotated[str, typer.Option(metavar="URL", help="A server, as behind serving@; it says the protocol.")] = "",
    clients: Annotated[int, typer.Option(min=1, max=64, help="Processes that send at once.")] = 8,
    requests: Annotated[int, typer.Option(min=1, max=1_000_000, help="Requests in all.")] = 10_000,
) -> int:
    """Run a load test."""
    if url and protocol:
        raise typer.BadParameter("--url says the protocol; leave --protocol out")
    _check_model(file)
    places = [url] if url else [_checked(name) for name in protocol or ("grpc",)]
    if url:
        if not parse_address(url).host:
            raise BadAddress(f"--url {url}: names a protocol and no server; write --protocol {url}")
        _see(url)
    else:
        check_packages()
    server = None if url else start([file])
    try:
        found = []
        for place in places:
            address = parse_address(place) if server is None else server.address(parse_address(place))
            found.append(measure(f"serving@{address.with_model(file.stem).text}", file, clients, requests))
            _show(place, found[-1])
    finally:
        if server is not None:
            server.stop()
    return DEVIATIONS if any(one.lost or one.different for one in found) else AS_EXPECTED


def _see(url: str) -> None:
    try:
        find_server(parse_address(url))
    except Unavailable as error:
        raise TargetFailed(f"--url {url}: {error}") from error


def _check_model(file: Path) -> None:
    try:
        read_model(file.read_bytes(), str(file))
    except OSError as error:
        raise ModelError(f"{file}: cannot be read: {error.strerror}; check the path") from error


def _checked(protocol: str) -> str:
    if protocol not in PROTOCOLS:
        raise typer.BadParameter(f"--protocol {protocol}: unknown; allowed: {', '.join(PROTOCOLS)}")
    return protocol


def _show(place: str, one: Figures) -> None:
    speed = f" ({one.rate:,.0f}/s), p50 {one.p50_ms:.1f} ms, p99 {one.p99_ms:.1f} ms" if one.lost < one.requests else ""
    text = (
        f"{place}: {one.requests} requests of {one.clients} clients in {one.seconds:.1f} s{speed}, "
        f"lost {one.lost}, different {one.different}"
    )
    console().print(
        text + (f", first error: {one.first_error}" if one.first_error else ""), markup=False, soft_wrap=True
    )
