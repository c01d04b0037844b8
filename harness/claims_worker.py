"""A worker that is looked into while it answers: one process of its own for each question about memory and files.

A Python runtime is served by a fresh process and not by a child of a fork server: pages that such a child shares with
its parent would hide what the runtime takes.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from opconform.harness import proc, wire
from opconform.harness.claims import NotMeasurable
from opconform.harness.claims_models import SMALL, Question
from opconform.harness.claims_recorder import IDLE
from opconform.harness.isolate import Limits
from opconform.harness.model import Array
from opconform.harness.pipes import Child, Pipes, Program
from opconform.harness.registry import Handle
from opconform.harness.runtime import RuntimeFailure
from opconform.harness.transport import TransportError

#: How many times its seconds of CPU time a worker may take that sleeps, as the client of a server that starts.
PATIENCE = 3.0
_LIMITS = Limits()
_SECONDS: Mapping[int, float] = {
    wire.HELLO: _LIMITS.hello,
    wire.OPEN: _LIMITS.open,
    wire.OPEN_FILE: _LIMITS.open,
    wire.RUN: _LIMITS.run,
    wire.BYE: _LIMITS.run,
}
_PYTHON = (sys.executable, "-m", "opconform.harness.claims_recorder")
#: Makes Node say a byte and wait with nothing loaded.
_WAITING = ("-e", "process.stdin.resume(); process.stdout.write('.')")


class Refused(RuntimeFailure):
    """The worker refused, ended or sent nonsense; the message says what in one line."""


class Worker:
    """A running worker that is asked frame by frame; also the nursery (pipes.Nursery) that starts it."""

    def __init__(self, command: Sequence[str], record: Path) -> None:
        self._program = Program(command)
        self._record = record
        self._pipes = Pipes(self, idle=PATIENCE)
        self._sequence = 0
        self.pid = 0

    def spawn(self) -> Child:
        """Start the process and keep its number. Raises NotStarted."""
        child = self._program.spawn()
        self.pid = child.pid
        return child

    def close(self) -> None:
        """Keep nothing between workers."""

    def start(self) -> None:
        """Start the process. Raises Refused."""
        try:
            self._pipes.start()
        except TransportError as error:
            raise Refused(str(error)) from error

    def stop(self) -> None:
        """End the process and what it started."""
        self._pipes.stop()

    def greet(self) -> None:
        """Wait until the worker is ready. Raises Refused."""
        self._ask(wire.HELLO)

    def open(self, model: bytes) -> None:
        """Open a model. Raises Refused."""
        self._ask(wire.OPEN, model)

    def open_file(self, path: Path) -> None:
        """Open the model of a file by its path. Raises Refused."""
        self._ask(wire.OPEN_FILE, os.fsencode(path), wire.OPENED)

    def run(self, inputs: Sequence[Array]) -> tuple[Array, ...]:
        """Invoke once and return the outputs. Raises Refused."""
        answer = self._ask(wire.RUN, wire.encode_run(inputs))
        try:
            return wire.decode_result(answer)[0]
        except wire.WireError as error:
            raise Refused(f"RUN: {error}") from error

    def answer(self, question: Question) -> tuple[Array, ...]:
        """Open a model and invoke it once. Raises Refused."""
        self.open(question.model)
        return self.run(question.inputs)

    def use_small_model(self) -> str:
        """Run the first of the small models that the runtime takes; return what it is. Raises Refused with the last."""
        *others, last = SMALL.items()
        for words, question in others:
            with suppress(Refused):
                self.answer(question())
                return words
        words, question = last
        self.answer(question())
        return words

    def leave(self) -> None:
        """Say BYE and wait until the process has ended. Raises Refused."""
        self._ask(wire.BYE)
        with suppress(TransportError):
            self._pipes.receive(_SECONDS[wire.BYE])

    def opened(self) -> frozenset[Path]:
        """Return the files that Python code of the worker opened, or tried to."""
        text = self._record.read_text(errors="replace") if self._record.is_file() else ""
        return frozenset(map(Path, text.splitlines()))

    def _ask(self, kind: int, payload: bytes = b"", wanted: int = 0) -> bytes:
        self._sequence += 1
        name = wire.KINDS[kind]
        try:
            self._pipes.send(wire.encode_frame(kind, self._sequence, payload))
            answer = wire.decode_frame(self._pipes.receive(_SECONDS[kind]))
            if answer.kind == wire.ERROR:
                raise Refused(f"{name}: {wire.decode_error(answer.payload).text}")
        except (TransportError, wire.WireError) as error:
            raise Refused(f"{name}: {error}") from error
        if answer.kind != (wanted or kind | 0x80):
            raise Refused(f"{name} was answered with {wire.KINDS[answer.kind]}")
        return answer.payload


@contextmanager
def started(handle: Handle, ahead: tuple[str, ...] = ()) -> Iterator[Worker]:
    """Start a worker, with words `ahead` of its command, and wait until it is ready; it ends with the block.

    Raises Refused where it does not start, NotMeasurable where it is no process of a Linux machine.
    """
    with _running(command_of(handle), handle.source, ahead) as worker:
        yield worker


@dataclass(frozen=True, slots=True)
class Empty:
    """An interpreter with nothing of a runtime: its process, 0 where there is none, and the files that it opened."""

    pid: int = 0
    opened: frozenset[Path] = frozenset()


@contextmanager
def idle(handle: Handle) -> Iterator[Empty]:
    """Start the interpreter of a runtime's worker with nothing of the runtime loaded; there is none for a program.

    Python has NumPy and the wire loaded. Raises as started does.
    """
    command = command_of(handle)
    match interpreter_of(command):
        case "Python":
            with _running(command, IDLE) as worker:
                yield Empty(worker.pid, worker.opened())
        case "Node":
            with subprocess.Popen([command[0], *_WAITING], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
                if process.stdout is not None:
                    process.stdout.read(1)
                yield Empty(process.pid)
                process.kill()
        case _:
            yield Empty()


def interpreter_of(command: tuple[str, ...]) -> str:
    """Return what a worker runs in, "Python" or "Node"; "" for a program of its own."""
    if command == _PYTHON:
        return "Python"
    return "Node" if Path(command[0]).name == "node" else ""


@contextmanager
def _running(command: tuple[str, ...], source: str, ahead: tuple[str, ...] = ()) -> Iterator[Worker]:
    with tempfile.TemporaryDirectory(prefix="opconform-claims-") as folder:
        record = Path(folder) / "opened"
        behind = (str(record), source) if command == _PYTHON else ()
        worker = Worker((*ahead, *command, *behind), record)
        try:
            worker.start()
            worker.greet()
            yield worker
        finally:
            worker.stop()


def command_of(handle: Handle) -> tuple[str, ...]:
    """Return the command line of a worker of its own, for a Python runtime without what it is told.

    Raises NotMeasurable where there is no such process, or no Linux to look into it.
    """
    if handle.unavailable:
        raise NotMeasurable(handle.unavailable)
    if not proc.can_measure():
        raise NotMeasurable("it is read from /proc of Linux, which this machine has not")
    if handle.command:
        return handle.command
    try:
        runtime: Any = handle.instantiate()
        transport = getattr(runtime, "transport", None)
        if transport is not None and transport(handle.at) is not None:
            raise NotMeasurable("its worker stands behind a transport of its own and cannot be looked into")
        command = getattr(runtime, "command", None)
        return _PYTHON if command is None else tuple(command(handle.at))
    except RuntimeFailure as error:
        raise NotMeasurable(str(error)) from error
