"""Workers at the other end of pipes: programs, and children of a fork server for Python runtimes."""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from opconform.harness import wire
from opconform.harness.transport import STATUS, Died, Garbled, NotStarted, Silent, die_with_parent

_READ_BYTES = 1 << 20
_TAIL_BYTES = 4000
_F_SETPIPE_SZ = 1031
# One thread in each worker: the harness runs several workers, and sums must not depend on the number of cores.
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")


@dataclass(frozen=True, slots=True)
class Child:
    """A running worker: its pipes, and how to learn its wait status once its output has ended."""

    pid: int
    stdin: int
    stdout: int
    stderr: int
    wait: Callable[[], int]


class Nursery(Protocol):
    """What starts workers."""

    def spawn(self) -> Child:
        """Start one. Raises NotStarted."""
        ...

    def close(self) -> None:
        """Free what is kept between workers."""
        ...


class Program:
    """Starts a command as the worker."""

    def __init__(self, command: Sequence[str]) -> None:
        self._command = tuple(command)

    def spawn(self) -> Child:
        """Start the command in a session of its own, so that Ctrl-C reaches the harness alone. Raises NotStarted."""
        pipe = subprocess.PIPE
        try:
            process = subprocess.Popen(
                self._command, stdin=pipe, stdout=pipe, stderr=pipe, bufsize=0,
                start_new_session=True, preexec_fn=die_with_parent,
            )  # fmt: skip
        except OSError as error:
            raise NotStarted(f"{self._command[0]}: {error.strerror or error}") from error
        ends = [os.dup(file.fileno()) for file in (process.stdin, process.stdout, process.stderr) if file]
        for file in (process.stdin, process.stdout, process.stderr):
            if file:
                file.close()
        return Child(process.pid, ends[0], ends[1], ends[2], lambda: _status_of(process))

    def close(self) -> None:
        """Nothing is kept."""


def _status_of(process: subprocess.Popen[bytes]) -> int:
    """Return a wait status as os.waitpid gives it; a program that only closed its output is killed."""
    try:
        code = process.wait(timeout=1)
    except subprocess.TimeoutExpired:
        process.kill()
        code = process.wait()
    return -code if code < 0 else code << 8


class ForkServer:
    """Starts workers for a Python runtime from a process that has it imported already."""

    def __init__(self, source: str, patience: float = 300.0) -> None:
        self._source = source
        self._patience = patience
        self._server: tuple[subprocess.Popen[bytes], socket.socket] | None = None

    def spawn(self) -> Child:
        """Fork a worker; import the runtime first where no server lives. Raises NotStarted."""
        with contextlib.suppress(OSError):
            return self._fork(self._control())
        self.close()
        try:
            return self._fork(self._control())
        except OSError as error:
            self.close()
            raise NotStarted(f"the fork server of {self._source} ended: {error}") from error

    def _fork(self, control: socket.socket) -> Child:
        pipes = [os.pipe() for _ in range(3)]
        theirs, ours = [pipes[0][0], pipes[1][1], pipes[2][1]], [pipes[0][1], pipes[1][0], pipes[2][0]]
        try:
            socket.send_fds(control, [b"start"], theirs)
            pid = STATUS.unpack(_receive(control))[0]
        except OSError:
            _close_all(ours)
            raise
        finally:
            _close_all(theirs)
        return Child(pid, ours[0], ours[1], ours[2], self._wait)

    def _wait(self) -> int:
        if self._server is None:
            return int(signal.SIGKILL)
        try:
            self._server[1].send(b"wait")
            return int(STATUS.unpack(_receive(self._server[1]))[0])
        except OSError:  # the server died, and Linux killed its children with it
            return int(signal.SIGKILL)

    def _control(self) -> socket.socket:
        if self._server is None:
            self._server = self._launch()
        return self._server[1]

    def _launch(self) -> tuple[subprocess.Popen[bytes], socket.socket]:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        command = [sys.executable, "-m", "opconform.harness.worker", "--forks", str(theirs.fileno()), self._source]
        server = subprocess.Popen(
            command, pass_fds=(theirs.fileno(),), stdin=subprocess.DEVNULL, stdout=2,
            start_new_session=True, env=_ONE_THREAD | dict(os.environ),
        )  # fmt: skip
        theirs.close()
        ours.settimeout(self._patience)
        try:
            greeting = _receive(ours)
        except OSError as error:
            server.kill()
            raise NotStarted(f"{self._source}: its worker did not start: {error} (status {server.wait()})") from error
        if greeting[:1] == b"!":
            ours.close()
            server.wait()
            raise NotStarted(greeting[1:].decode())
        return server, ours

    def close(self) -> None:
        """End the fork server, and with it every worker it started."""
        if self._server is not None:
            server, control = self._server
            self._server = None
            control.close()
            server.wait()


def _close_all(descriptors: Sequence[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)


def _receive(control: socket.socket) -> bytes:
    message = control.recv(8192)
    if not message:
        raise ConnectionResetError("it closed its socket")
    return message


class Pipes:
    """A transport over the pipes of one worker.

    Writing never blocks: what does not fit is written while answers are awaited, so that a worker
    that writes much cannot lock up against a harness that writes much.
    """

    def __init__(self, nursery: Nursery, depth: int = 256, idle: float = 6.0) -> None:
        self._nursery = nursery
        self._depth = depth
        self._idle = idle  # how many times the CPU deadline a worker may take by the clock on the wall
        self._child: Child | None = None
        self._reader = wire.FrameReader()
        self._out = bytearray()
        self._tail = b""

    @property
    def depth(self) -> int:
        """Return how many frames may be under way."""
        return self._depth

    def start(self) -> None:
        """Start the worker if it does not run. Raises NotStarted."""
        if self._child is None:
            self._child = self._nursery.spawn()
            self._reader, self._out, self._tail = wire.FrameReader(), bytearray(), b""
            for descriptor in (self._child.stdin, self._child.stdout, self._child.stderr):
                os.set_blocking(descriptor, False)
            for descriptor in (self._child.stdin, self._child.stdout):
                with contextlib.suppress(OSError):
                    fcntl.fcntl(descriptor, _F_SETPIPE_SZ, 1 << 20)

    def send(self, frames: bytes) -> None:
        """Write what fits, keep the rest for `receive`. A worker that is dead shows there, after its last answers."""
        if self._child and frames[4] == wire.OPEN:  # what was said of the model before does not explain this one
            self._drain(self._child.stderr)
            self._tail = b""
        self._out += frames
        self._write()

    def _write(self) -> None:
        try:
            while self._out and self._child:
                del self._out[: os.write(self._child.stdin, self._out)]
        except BlockingIOError:
            return
        except BrokenPipeError:
            self._out.clear()

    def receive(self, seconds: float) -> bytes:
        """Return the next whole frame. Raises Died, Silent or Garbled."""
        if self._child is None:
            raise Died("it was not started")
        try:
            frame = self._reader.next()
            return self._await(self._child, seconds) if frame is None else frame
        except wire.WireError as error:
            self._kill()
            raise Garbled(str(error)) from error

    def _await(self, child: Child, seconds: float) -> bytes:
        cpu_end, wall_end = _cpu_seconds(child.pid) + seconds, time.monotonic() + seconds * self._idle
        poller = select.poll()
        poller.register(child.stdout, select.POLLIN)
        poller.register(child.stderr, select.POLLIN)
        while True:
            poller.register(child.stdin, select.POLLOUT if self._out else 0)
            left = min(cpu_end - _cpu_seconds(child.pid), wall_end - time.monotonic())
            if left <= 0:
                self._kill()
                raise Silent(seconds)
            for descriptor, _ in poller.poll(max(1.0, left * 1000)):
                if descriptor == child.stderr and not self._drain(child.stderr):
                    poller.unregister(child.stderr)
                elif descriptor == child.stdin:
                    self._write()
                elif descriptor == child.stdout and (frame := self._read(child)) is not None:
                    return frame

    def _read(self, child: Child) -> bytes | None:
        data = os.read(child.stdout, _READ_BYTES)
        if not data:
            raise Died(self._obituary(child))
        self._reader.feed(data)
        return self._reader.next()

    def _drain(self, descriptor: int) -> bool:
        """Keep the last bytes of standard error. Returns whether more can come."""
        try:
            while data := os.read(descriptor, _READ_BYTES):
                self._tail = (self._tail + data)[-_TAIL_BYTES:]
        except BlockingIOError:
            return True
        return False

    def _obituary(self, child: Child) -> str:
        status = child.wait()
        self._drain(child.stderr)
        torn = f", inside a frame after {len(self._reader.pending)} bytes of it" if self._reader.pending else ""
        last = _last_line(self._tail.decode(errors="replace"))
        self._forget(child)
        return describe_status(status) + torn + (f": {last[:300]}" if last else "")

    def _forget(self, child: Child) -> None:
        _close_all((child.stdin, child.stdout, child.stderr))
        self._child = None

    def _kill(self) -> None:
        """Kill the worker and all that it started, if it lives."""
        child = self._child
        if child is not None:
            _kill_group(child.pid)
            self._forget(child)
            child.wait()

    def restart(self) -> None:
        """Start a fresh worker in place of this one. Raises NotStarted."""
        self._kill()
        self.start()

    def stop(self) -> None:
        """End the worker and what started it."""
        self._kill()
        self._nursery.close()

    def meters(self) -> Mapping[str, int]:
        """Return nothing: a pipe measures nothing."""
        return {}


def _last_line(text: str) -> str:
    """Return a sanitizer's summary, or the last line that is not mere chatter, as LiteRT's INFO lines are."""
    lines = [line.strip() for line in reversed(text.splitlines())]
    summaries = (line.removeprefix("SUMMARY: ") for line in lines if line.startswith("SUMMARY: "))
    return next(summaries, next((line for line in lines if line and not line.startswith("INFO:")), ""))


def _kill_group(pid: int) -> None:
    for kill in (os.killpg, os.kill):  # the second for a worker that has not made its session yet
        with contextlib.suppress(ProcessLookupError, PermissionError):
            kill(pid, signal.SIGKILL)


def _cpu_seconds(pid: int) -> float:
    """Return the CPU time of a process; its clock is number ~pid << 3 | 2 (clock_getcpuclockid of Linux)."""
    try:
        return time.clock_gettime(~pid << 3 | 2)
    except OSError:  # it ended
        return 0.0


def describe_status(status: int) -> str:
    """Return the words for a wait status: a signal's name or the exit status."""
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        return next((known.name for known in signal.Signals if known == number), f"signal {number}")
    return f"exited with status {os.waitstatus_to_exitcode(status)}"
