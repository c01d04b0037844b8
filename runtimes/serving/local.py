"""The project's own server as a child of this process, on ports of loopback that are free."""

from __future__ import annotations

import importlib.util
import json
import select
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from opconform.harness.runtime import Unavailable
from opconform.harness.transport import die_with_parent
from opconform.runtimes.serving.address import Address, parse_address

#: Seconds that a server may take to start: importing kserve is what takes them.
START_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class LocalServer:
    """A server that runs, and where it listens."""

    process: subprocess.Popen[bytes]
    http: Address
    grpc: Address

    def address(self, asked: Address) -> Address:
        """Return where a protocol without a host is served here."""
        found = self.grpc if asked.protocol == "grpc" else self.http
        return replace(asked, host=found.host, port=found.port)

    def stop(self, seconds: float = 10.0) -> int:
        """End it as Ctrl-C would; return its exit code, that of a kill where it did not end in time."""
        self.process.send_signal(signal.SIGINT)
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()


def missing_packages() -> str:
    """Return which package the own server lacks here, or ""."""
    lacking = [name for name in ("kserve", "uvicorn", "grpc") if importlib.util.find_spec(name) is None]
    return f"the package {lacking[0]} is missing; run: tox -e serving" if lacking else ""


def start(models: Sequence[Path] = (), options: Sequence[str] = ()) -> LocalServer:
    """Start a server with some models and options of its command line, which ends with this process.

    Raises Unavailable with its last words where it does not start.
    """
    ports = ("--port", "0", "--grpc-port", "0")
    command = [sys.executable, "-m", "opconform", "serve", *map(str, models), *ports, *options, "--json"]
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, start_new_session=True, preexec_fn=die_with_parent,
    )  # fmt: skip
    line = _first_line(process)
    try:
        said = json.loads(line)
        return LocalServer(process, parse_address(said["http"]), parse_address(said["grpc"]))
    except (ValueError, KeyError) as error:
        process.kill()
        process.wait()
        raise Unavailable(f"opconform serve did not start within {START_SECONDS:g} s; it said {line!r}") from error


def _first_line(process: subprocess.Popen[bytes]) -> bytes:
    end, line, stdout = time.monotonic() + START_SECONDS, b"", process.stdout
    while stdout is not None and not line.endswith(b"\n") and (left := end - time.monotonic()) > 0:
        ready, _, _ = select.select([stdout], [], [], left)
        if not ready or not (data := stdout.read1(4096)):  # type: ignore[attr-defined]
            break
        line += data
    return line
