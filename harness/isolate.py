"""Sessions outside this process: models and vectors in, an Outcome out, whatever the worker does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from opconform.harness import wire
from opconform.harness.model import Array, Crashed, Declined, Infra, Lost, Outcome, Produced, Rejected, TimedOut
from opconform.harness.pipes import ForkServer, Pipes, Program
from opconform.harness.registry import Handle
from opconform.harness.runtime import (
    InvalidModel,
    LostInTransport,
    Runtime,
    RuntimeFailure,
    Session,
    Unavailable,
    Unsupported,
)
from opconform.harness.transport import Died, Garbled, NotStarted, Silent, Transport, TransportError

# Below the 64 KiB that a pipe holds by default: a transport that writes blockingly never locks up against
# a worker that does the same.
WINDOW_BYTES = 48 * 1024
# A worker that failed to start so many times in a row is not asked again: every further case would only cost time.
MOST_STARTS = 3
_EXCEPTIONS: Mapping[int, str] = {3: "HardFault", 4: "MemManage", 5: "BusFault", 6: "UsageFault", 15: "SysTick"}


@dataclass(frozen=True, slots=True)
class Limits:
    """Deadlines in seconds of the worker's CPU time. A worker that only sleeps gets `idle` times as long."""

    hello: float = 30.0
    open: float = 60.0
    run: float = 10.0
    idle: float = 6.0


class Executor(Protocol):
    """Something that executes models one after the other and never raises for what a runtime does."""

    def execute(self, model: bytes, vectors: Sequence[Sequence[Array]]) -> Outcome:
        """Open `model` afresh and invoke it once per vector.

        Produced holds one tuple of outputs per vector and the costliest value of each meter.
        """
        ...

    def run(self, vectors: Sequence[Sequence[Array]]) -> Outcome:
        """Invoke the model of the last `execute` again; its state goes on."""
        ...

    def renew(self) -> None:
        """Let the next model have a worker of its own: the last one may have written where it should not."""
        ...

    def close(self) -> None:
        """Stop the worker."""
        ...


class Isolated:
    """An executor that talks to a worker over a transport and restarts it when it must."""

    def __init__(self, transport: Transport, limits: Limits | None = None) -> None:
        self._transport = transport
        self._limits = limits or Limits()
        self._ready: wire.Ready | None = None
        self._dirty = False
        self._sequence = 0
        self._outputs: int | None = None
        self._open = False
        self._failed_starts = 0
        self._why = ""

    def greet(self) -> str:
        """Start the worker; return "" or the one line that says why it cannot start. Raises Unavailable."""
        try:
            self._start()
        except (TransportError, wire.WireError) as error:
            if isinstance(error.__cause__, Unavailable):
                raise error.__cause__ from error  # a tool is missing: that is no failure of the target
            return str(error)
        return ""

    def execute(self, model: bytes, vectors: Sequence[Sequence[Array]]) -> Outcome:
        """See Executor."""
        return self._attempt(model, vectors)

    def open_only(self, model: bytes) -> Outcome:
        """Open a model and run nothing: Produced without outputs where the runtime takes it."""
        return self._attempt(model, ())

    def run(self, vectors: Sequence[Sequence[Array]]) -> Outcome:
        """See Executor."""
        return self._attempt(None, vectors) if self._open else Infra("no model is open")

    def renew(self) -> None:
        """See Executor."""
        self._open = False
        self._dirty = self._ready is not None

    def close(self) -> None:
        """Say BYE to a worker that listens, then stop it."""
        if self._ready is not None and not self._dirty:
            try:
                self._transport.send(wire.encode_frame(wire.BYE, self._next_sequence()))
                self._transport.receive(1.0)
            except TransportError:
                pass
        self._transport.stop()
        self._ready = None

    def _attempt(self, model: bytes | None, vectors: Sequence[Sequence[Array]]) -> Outcome:
        self._open = False
        try:
            ready = self._start()
            opening = [] if model is None else [(wire.OPEN, model)]
            requests = opening + [(wire.RUN, wire.encode_run(vector)) for vector in vectors]
        except (TransportError, Unavailable, wire.WireError) as error:
            return Infra(str(error))
        for kind, payload in requests:
            if len(payload) > ready.largest:
                return Declined(f"{wire.KINDS[kind]} of {len(payload)} bytes, the worker takes {ready.largest}", True)
        return self._converse(requests)

    def _start(self) -> wire.Ready:
        """Return the READY of a worker that runs. Raises TransportError, Unavailable and WireError."""
        if self._ready is not None and not self._dirty:
            return self._ready
        if self._failed_starts >= MOST_STARTS:
            raise NotStarted(self._why)
        try:
            ready = self._launch()
        except (TransportError, Unavailable, wire.WireError) as error:
            self._failed_starts, self._why = self._failed_starts + 1, str(error)
            raise
        self._failed_starts = 0
        return ready

    def _launch(self) -> wire.Ready:
        self._ready = None
        if self._dirty:
            self._transport.restart()
        else:
            self._transport.start()
        self._dirty = True  # until it has greeted
        try:
            answer = next(iter(self._pipeline([(wire.HELLO, b"")])))
        except Died as error:
            raise NotStarted(f"the worker ended before it was ready, {error}") from error
        except Silent as error:
            raise NotStarted(f"the worker gave no READY within {error.seconds:g} s") from error
        if answer.kind != wire.READY:
            raise NotStarted(f"the worker answered HELLO with {_shown(answer)}")
        self._ready = wire.decode_ready(answer.payload)
        self._dirty = False
        return self._ready

    def _converse(self, requests: Sequence[tuple[int, bytes]]) -> Outcome:
        answers: list[wire.Frame] = []
        try:
            for answer in self._pipeline(requests):
                answers.append(answer)  # one by one: how many came says where a worker died
        except (TransportError, wire.WireError) as error:
            self._dirty = True
            return _misfortune(error, _stage(requests, len(answers)))
        return self._interpret(requests, answers)

    def _pipeline(self, requests: Sequence[tuple[int, bytes]]) -> Iterator[wire.Frame]:
        """Yield the answers in order, with as many requests under way as the window allows. Raises TransportError."""
        sent, done, under_way, sizes = 0, 0, 0, [len(payload) + wire.HEADER.size for _, payload in requests]
        first = self._sequence + 1
        while done < len(requests):
            batch = []
            while sent < len(requests) and self._fits(sent - done, under_way + sizes[sent]):
                kind, payload = requests[sent]
                batch.append(wire.encode_frame(kind, self._next_sequence(), payload))
                under_way += sizes[sent]
                sent += 1
            if batch:
                self._transport.send(b"".join(batch))
            frame = self._receive(requests[done][0], first + done & 0xFFFFFFFF)
            under_way -= sizes[done]
            done += 1
            yield frame

    def _fits(self, frames: int, size: int) -> bool:
        return frames == 0 or (frames < self._transport.depth and size <= WINDOW_BYTES)

    def _next_sequence(self) -> int:
        self._sequence = self._sequence + 1 & 0xFFFFFFFF
        return self._sequence

    def _receive(self, kind: int, sequence: int) -> wire.Frame:
        seconds = {wire.HELLO: self._limits.hello, wire.OPEN: self._limits.open}.get(kind, self._limits.run)
        frame = wire.decode_frame(self._transport.receive(seconds))
        if frame.kind not in (kind | 0x80, wire.ERROR):
            raise Garbled(f"{wire.KINDS[kind]} was answered with {wire.KINDS[frame.kind]}")
        if frame.sequence != sequence:
            raise Garbled(f"{wire.KINDS[kind]} {sequence} was answered with sequence {frame.sequence}")
        return frame

    def _interpret(self, requests: Sequence[tuple[int, bytes]], answers: Sequence[wire.Frame]) -> Outcome:
        outputs: list[tuple[Array, ...]] = []
        meters: dict[str, int] = {}
        for index, frame in enumerate(answers):
            try:
                if frame.kind == wire.ERROR:
                    failure = wire.decode_error(frame.payload)
                    self._dirty = failure.code == wire.INTERNAL  # what broke within it may have broken more
                    self._open = requests[index][0] == wire.RUN and not self._dirty
                    return _failed(failure, _stage(requests, index), self._limits)
                if frame.kind == wire.OPENED:
                    self._opened(wire.decode_opened(frame.payload), meters)
                else:
                    outputs.append(self._result(frame, meters))
            except (wire.WireError, Garbled) as error:
                self._dirty = True
                return Infra(f"{_stage(requests, index)}: {error}")
        _keep_largest(meters, self._transport.meters())
        self._open = True
        return Produced(tuple(outputs), meters)

    def _result(self, frame: wire.Frame, meters: dict[str, int]) -> tuple[Array, ...]:
        """Return the outputs of a RESULT. Raises WireError, and Garbled for a wrong number of tensors."""
        tensors, measured = wire.decode_result(frame.payload)
        if self._outputs is not None and len(tensors) != self._outputs:
            raise Garbled(f"RESULT with {len(tensors)} tensors, OPENED said {self._outputs}")
        _keep_largest(meters, measured)
        return tensors

    def _opened(self, opened: wire.Opened, meters: dict[str, int]) -> None:
        self._outputs = None if opened.outputs is None else len(opened.outputs)
        if opened.arena:
            meters["arena"] = opened.arena


def _keep_largest(meters: dict[str, int], measured: Mapping[str, int]) -> None:
    for name, value in measured.items():
        meters[name] = max(value, meters.get(name, 0))


def _stage(requests: Sequence[tuple[int, bytes]], index: int) -> str:
    """Return where in a conversation the answer of request `index` belongs: "OPEN" or "RUN of vector 3"."""
    if requests[index][0] == wire.OPEN:
        return "OPEN"
    return f"RUN of vector {index - (requests[0][0] == wire.OPEN)}"


def _misfortune(error: Exception, stage: str) -> Outcome:
    match error:
        case Died():
            return Crashed(_ahead(str(error), stage))
        case Silent():
            return TimedOut(error.seconds)
    return Infra(f"{stage}: {error}")


def _ahead(text: str, stage: str) -> str:
    """Put the stage behind how a worker ended and before its last words: "SIGABRT during OPEN: ..."."""
    how, colon, words = text.partition(": ")
    return f"{how} during {stage}{colon}{words}"


def _failed(failure: wire.Failure, stage: str, limits: Limits) -> Outcome:
    match failure.code:
        case wire.UNSUPPORTED | wire.NO_MEMORY:
            return Declined(failure.text, failure.code == wire.NO_MEMORY)
        case wire.INVALID_MODEL | wire.INVALID_INPUT:
            return Rejected(failure.text)
        case wire.LOST:
            return Lost(f"{stage}: {failure.text}")
        case wire.UNREACHED:
            return Infra(f"{stage}: {failure.text}")
        case wire.INTERNAL:
            return Crashed(f"internal error during {stage}: {failure.text}")
        case wire.FAULT:
            return Crashed(_ahead(_fault(failure), stage))
        case wire.BUDGET:
            return TimedOut(limits.open if stage == "OPEN" else limits.run)
    return Infra(f"{stage}: the worker says {wire.CODES[failure.code]}: {failure.text}")


def _fault(failure: wire.Failure) -> str:
    """Return a fault in words: those of its text where that says it all, else with the registers of a Cortex-M."""
    registers = failure.registers
    if not any(registers.values()):
        return failure.text
    number = registers["exception"]
    shown = " ".join(f"{name}={registers[name]:#010x}" for name in wire.REGISTERS[1:] if registers[name])
    return f"{_EXCEPTIONS.get(number, f'exception {number}')} ({shown}): {failure.text}"


def _shown(frame: wire.Frame) -> str:
    if frame.kind != wire.ERROR:
        return wire.KINDS[frame.kind]
    failure = wire.decode_error(frame.payload)
    return f"{wire.CODES[failure.code]}: {failure.text}"


class InProcess:
    """An executor in this process, for runtimes that cannot crash and for what tests wrap."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._session: Session | None = None

    def execute(self, model: bytes, vectors: Sequence[Sequence[Array]]) -> Outcome:
        """See Executor."""
        self.close()
        try:
            self._session = self._runtime.open(model)
        except RuntimeFailure as error:
            return _refused(error)
        except Exception as error:
            return Crashed(f"internal error during OPEN: {type(error).__name__}: {error}")
        return self.run(vectors)

    def run(self, vectors: Sequence[Sequence[Array]]) -> Outcome:
        """See Executor."""
        if self._session is None:
            return Infra("no model is open")
        outputs, meters = [], dict[str, int]()
        try:
            for vector in vectors:
                outputs.append(tuple(self._session.run(vector)))
                _keep_largest(meters, self._session.meters())
        except RuntimeFailure as error:
            return _refused(error)
        except Exception as error:
            text = f"internal error during RUN of vector {len(outputs)}: {type(error).__name__}: {error}"
            return Crashed(text)
        return Produced(tuple(outputs), meters)

    def renew(self) -> None:
        """See Executor; what cannot crash writes nowhere it should not."""

    def close(self) -> None:
        """Close the session."""
        if self._session is not None:
            self._session.close()
        self._session = None


def _refused(error: RuntimeFailure) -> Outcome:
    match error:
        case Unsupported():
            return Declined(str(error))
        case InvalidModel():
            return Rejected(str(error))
        case LostInTransport():
            return Lost(str(error))
    return Infra(str(error))


def connect(handle: Handle, limits: Limits | None = None) -> Executor:
    """Return an executor for a runtime; its worker starts with the first model.

    A runtime whose class has `transport(target)` or `command(target)` brings its own worker, one with
    `in_process = True` runs here, every other Python class runs in a child. Raises Unavailable.
    """
    if handle.unavailable:
        raise Unavailable(handle.unavailable)
    limits = limits or Limits()
    if handle.command:
        return Isolated(Pipes(Program(handle.command), idle=limits.idle), limits)
    if not _may_bring_worker(handle):
        return Isolated(Pipes(ForkServer(handle.source), idle=limits.idle), limits)
    runtime: Any = handle.instantiate()
    if not hasattr(runtime, "open"):
        raise Unavailable(f"{handle.label} opens no models: it is what others are judged by")
    if getattr(runtime, "in_process", False):
        return InProcess(runtime)
    transport = getattr(runtime, "transport", None)
    if transport is not None and (own := transport(handle.at)) is not None:
        return Isolated(own, limits)
    command = getattr(runtime, "command", None)
    if command is not None:
        return Isolated(Pipes(Program(command(handle.at)), idle=limits.idle), limits)
    return Isolated(Pipes(ForkServer(handle.source), idle=limits.idle), limits)


def _may_bring_worker(handle: Handle) -> bool:
    """Tell whether the class must be looked at: importing the others here would cost much and bring nothing."""
    return handle.name == "reference" or ".py:" in handle.source or handle.manifest.targets != ("host",)
