"""The project's inference server: kserve's protocols in front of the runtime `lite`, on loopback unless told."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import socket
import sys
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from opconform.harness.registry import resolve
from opconform.harness.runtime import RuntimeFailure, Unavailable

LOOPBACK = "127.0.0.1"
#: The largest request, and the most models, unless told otherwise.
MOST_BYTES, MOST_MODELS = 32 * 1024 * 1024, 256
#: Seconds that requests under way have at the end.
GRACE = 5


class ServeError(RuntimeFailure):
    """The server cannot do what it was told; the message says why."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Where to listen (a port of 0: any that is free), and what is too much.

    `most_bytes` bounds a request, `most_models` how many models the server holds at once.
    """

    host: str = LOOPBACK
    port: int = 8080
    grpc_port: int = 8081
    most_bytes: int = MOST_BYTES
    most_models: int = MOST_MODELS
    models: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class Listening:
    """Where a server listens, and the names of the models it began with."""

    http: str
    grpc: str
    models: tuple[str, ...]


def check_packages() -> None:
    """Raise Unavailable where kserve is not installed."""
    arguments, sys.argv = sys.argv, sys.argv[:1]  # kserve reads the command line as its own when it is imported
    try:
        import kserve  # noqa: F401
    except ImportError as error:
        raise Unavailable(
            f"opconform serve needs kserve ({error}); run: pip install 'opconform[serving]', or tox -e serving"
        ) from error
    finally:
        sys.argv = arguments


def serve(settings: Settings, ready: Callable[[Listening], None]) -> None:
    """Serve until SIGINT or SIGTERM. Raises Unavailable, and ServeError for a port or a model that cannot be had."""
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # its own lines on stderr beside the one that says it all
    check_packages()
    for name in ("kserve", "kserve.trace", "uvicorn.error"):
        logging.getLogger(name).setLevel(logging.CRITICAL)  # every bad request would be a traceback
    warnings.filterwarnings("ignore", "ORJSONResponse is deprecated")  # kserve's, with every request
    import uvloop  # comes with kserve, and takes a third off every request

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(settings, ready))


async def _serve(settings: Settings, ready: Callable[[Listening], None]) -> None:
    from opconform.harness.serve_model import Repository, Turns
    from opconform.harness.serve_requests import StrictDataPlane
    from opconform.harness.serve_web import application, web_server

    turns = Turns()
    runtime = resolve("lite").instantiate()
    repository = Repository(runtime, turns, settings.most_models)
    names = await _preload(repository, settings.models)
    plane = StrictDataPlane(repository)
    stopped = asyncio.Event()
    listener = _listener(settings.host, settings.port)
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    rpc, rpc_port = _rpc_server(host, settings, plane, repository)
    web = web_server(application(plane, repository), settings.most_bytes, GRACE)
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    await rpc.start()
    serving = asyncio.create_task(web.serve(sockets=[listener]))
    while not web.started and not serving.done():
        await asyncio.sleep(0.01)
    gc.freeze()  # what is imported stays: collections need not look at it each time
    ready(Listening(f"http://{host}:{listener.getsockname()[1]}", f"grpc://{host}:{rpc_port}", names))
    await stopped.wait()
    web.should_exit = True
    await rpc.stop(GRACE)
    await serving
    turns.close()


async def _preload(repository: Any, files: Sequence[Path]) -> tuple[str, ...]:
    for file in files:
        try:
            await repository.bring(file.stem, file.read_bytes())
        except OSError as error:
            raise ServeError(f"{file}: cannot be read: {error.strerror}; check the path") from error
        except Exception as error:
            raise ServeError(f"{file}: cannot be served: {error}") from error
    return tuple(file.stem for file in files)


def _listener(host: str, port: int) -> socket.socket:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listener = socket.create_server((host, port), family=family)
        listener.setblocking(False)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # else each answer waits 40 ms for an ACK
        return listener
    except (OSError, OverflowError) as error:
        raise ServeError(f"cannot listen on {host} port {port}: {error}; choose another --host or --port") from error


def _rpc_server(host: str, settings: Settings, plane: Any, repository: Any) -> tuple[Any, int]:
    from opconform.harness.serve_grpc import grpc_server

    try:
        return grpc_server(host, settings.grpc_port, settings.most_bytes, plane, repository)
    except RuntimeError as error:
        text = f"cannot listen on {host} port {settings.grpc_port} for gRPC; choose another --host or --grpc-port"
        raise ServeError(text) from error
