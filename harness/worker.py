"""The worker of Python runtimes: `python -m opconform.harness.worker RUNTIME` speaks the wire on stdin and stdout.

With `--forks FD` it is a fork server instead: it imports the runtime once and forks a worker whenever the harness asks
for one over the socket FD. So a worker that a model has killed is replaced in milliseconds, imports and all.
"""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from opconform.harness import wire
from opconform.harness.registry import resolve
from opconform.harness.runtime import (
    InvalidModel,
    LostInTransport,
    Runtime,
    RuntimeFailure,
    Session,
    Unavailable,
    Unsupported,
)
from opconform.harness.transport import STATUS, die_with_parent

_READ_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Hosted:
    """The runtime that this process serves, and its name on the wire."""

    name: str
    runtime: Runtime


def host(source: str) -> Hosted:
    """Find, construct and warm a runtime. Raises RuntimeFailure, and whatever its constructor raises."""
    handle = resolve(source)
    if handle.unavailable:
        raise Unavailable(handle.unavailable)
    runtime = handle.instantiate()
    warm = getattr(runtime, "warm", None)
    if warm is not None:
        warm()
    return Hosted(handle.label, runtime)


def serve(hosted: Hosted, source: int, sink: int) -> None:
    """Answer the frames of file descriptor `source` on `sink` until BYE or the end of input."""
    reader, session = wire.FrameReader(), None
    while data := os.read(source, _READ_BYTES):
        reader.feed(data)
        try:
            for raw in reader:
                session, kind, sequence, payload = _answer(hosted, session, raw)
                _write_all(sink, wire.encode_frame(kind, sequence, payload))
                if kind == wire.GONE:
                    return
        except wire.WireError as error:  # where the next frame begins is unknown: nothing to go on with
            _write_all(sink, wire.encode_frame(wire.ERROR, 0, _failure(wire.BAD_FRAME, str(error))))
            return


def _write_all(sink: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(sink, view) :]


def _answer(hosted: Hosted, session: Session | None, raw: bytes) -> tuple[Session | None, int, int, bytes]:
    """Return the session that is open afterwards, and kind, sequence and payload of the answer."""
    sequence = wire.HEADER.unpack_from(raw)[4]
    try:
        frame = wire.decode_frame(raw)
    except wire.WireError as error:
        return session, wire.ERROR, sequence, _failure(wire.BAD_FRAME, str(error))
    match frame.kind:
        case wire.RUN:
            return session, *_run(session, frame)
        case wire.OPEN:
            return _open(session, sequence, lambda: hosted.runtime.open(frame.payload))
        case wire.OPEN_FILE:
            return _open(session, sequence, lambda: _from_file(hosted, frame.payload))
        case wire.HELLO:
            return session, wire.READY, sequence, wire.encode_ready(wire.Ready(hosted.name))
        case wire.CLOSE:
            return None, *_close(session, sequence)
        case wire.BYE:
            return None, wire.GONE, sequence, b""
    text = f"a worker was sent {wire.KINDS[frame.kind]}, allowed are HELLO OPEN OPEN_FILE RUN CLOSE BYE"
    return session, wire.ERROR, sequence, _failure(wire.BAD_FRAME, text)


def _failure(code: int, text: str) -> bytes:
    return wire.encode_error(wire.Failure(code, text))


def _open(old: Session | None, sequence: int, opening: Callable[[], Session]) -> tuple[Session | None, int, int, bytes]:
    try:
        if old is not None:
            old.close()
        session: Session | None = opening()
        if session is None:
            raise TypeError("open() returned None, a session is needed")
    except Exception as error:
        return None, wire.ERROR, sequence, _explain(error, wire.INVALID_MODEL)
    return session, wire.OPENED, sequence, wire.encode_opened(wire.Opened())


def _from_file(hosted: Hosted, path: bytes) -> Session:
    """Open the model at a path. Raises InvalidModel where there is none, Unsupported where only bytes are taken."""
    opening = getattr(hosted.runtime, "open_file", None)
    if opening is None:
        raise Unsupported(f"{hosted.name} opens no files: it has no method open_file")
    try:
        session: Session = opening(Path(os.fsdecode(path)))
    except OSError as error:
        raise InvalidModel(f"{os.fsdecode(path)}: {error.strerror or error}") from error
    return session


def _run(session: Session | None, frame: wire.Frame) -> tuple[int, int, bytes]:
    if session is None:
        return wire.ERROR, frame.sequence, _failure(wire.INVALID_MODEL, "no model is open")
    try:
        inputs = wire.decode_run(frame.payload)
    except wire.WireError as error:
        return wire.ERROR, frame.sequence, _failure(wire.BAD_FRAME, str(error))
    try:
        outputs = [np.asarray(output) for output in session.run(inputs)]
        payload = wire.encode_result(outputs, session.meters())
        if len(payload) > wire.MAX_PAYLOAD:
            raise ValueError(f"RESULT of {len(payload)} bytes, a frame holds {wire.MAX_PAYLOAD}")
        return wire.RESULT, frame.sequence, payload
    except Exception as error:
        return wire.ERROR, frame.sequence, _explain(error, wire.INVALID_INPUT)


def _close(session: Session | None, sequence: int) -> tuple[int, int, bytes]:
    try:
        if session is not None:
            session.close()
    except Exception as error:
        return wire.ERROR, sequence, _explain(error, wire.INVALID_MODEL)
    return wire.CLOSED, sequence, b""


def _explain(error: Exception, invalid: int) -> bytes:
    """Return the ERROR for what a runtime raised: its words for failures of the contract, else also the place."""
    text = " ".join(str(error).split())
    match error:
        case Unsupported() | Unavailable():
            return _failure(wire.UNSUPPORTED, text)
        case InvalidModel():
            return _failure(invalid, text)
        case LostInTransport():
            return _failure(wire.LOST, text)
        case MemoryError():
            return _failure(wire.NO_MEMORY, text or "out of memory")
        case TimeoutError():  # the runtime stopped an endless loop itself
            return _failure(wire.BUDGET, text)
        case RuntimeFailure():
            return _failure(wire.UNREACHED, text)
    frames = traceback.extract_tb(error.__traceback__)
    where = f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""
    return _failure(wire.INTERNAL, f"{type(error).__name__}: {text}{where}")


def _fork_server(source: str, control: socket.socket) -> None:
    try:
        hosted = host(source)
    except Exception as error:
        text = str(error) if isinstance(error, RuntimeFailure) else f"{type(error).__name__}: {error}"
        control.send(b"!" + " ".join(text.split()).encode()[:4000])
        return
    # A run that is killed breaks the socket wherever it stands: as good as an end.
    with contextlib.suppress(ConnectionError):
        control.send(b"+")
        _serve_requests(hosted, control)


def _serve_requests(hosted: Hosted, control: socket.socket) -> None:
    child = 0
    while True:
        message, descriptors, _, _ = socket.recv_fds(control, 16, 3)
        match message:
            case b"start":
                child = _fork(hosted, control, descriptors)
                control.send(STATUS.pack(child))
            case b"wait":
                control.send(STATUS.pack(_wait(child)))
            case _:
                return


def _fork(hosted: Hosted, control: socket.socket, descriptors: Sequence[int]) -> int:
    child = os.fork()
    if child == 0:
        control.close()
        _serve_child(hosted, *descriptors)
    for descriptor in descriptors:
        os.close(descriptor)
    return child


def _serve_child(hosted: Hosted, source: int, sink: int, errors: int) -> None:
    """Be the worker. Only `sink` reaches the harness: what the runtime prints to stdout goes to stderr."""
    status = 1
    try:
        die_with_parent()
        os.setsid()  # so that the harness can kill what the runtime starts, too
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        os.dup2(errors, 2)
        os.dup2(2, 1)
        serve(hosted, source, sink)
        status = 0
    except SystemExit as leaving:
        status = leaving.code if isinstance(leaving.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)


def _wait(child: int, patience: float = 1.0) -> int:
    """Return the wait status of a worker that has closed its output; one that lives on is killed after `patience` s."""
    end = time.monotonic() + patience
    while time.monotonic() < end:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            return status
        time.sleep(0.0005)
    os.kill(child, signal.SIGKILL)
    return os.waitpid(child, 0)[1]


def main(arguments: Sequence[str]) -> int:
    """Serve until the input ends. Returns the exit status."""
    match arguments:
        case ["--forks", descriptor, source]:
            die_with_parent()
            _fork_server(source, socket.socket(fileno=int(descriptor)))
            return 0
        case [source] if not source.startswith("-"):
            return _serve_standard(source)
    print("usage: python -m opconform.harness.worker RUNTIME, e.g. litert@ref", file=sys.stderr)
    return 2


def _serve_standard(source: str) -> int:
    sink = os.dup(1)
    os.dup2(2, 1)  # whatever the runtime prints must not reach the wire
    try:
        hosted = host(source)
    except RuntimeFailure as error:
        print(error, file=sys.stderr)
        return 3
    serve(hosted, 0, sink)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
