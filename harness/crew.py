"""Processes that work on the rows of a run; results come back in the order of the rows, whoever was first."""

from __future__ import annotations

import contextlib
import multiprocessing
import multiprocessing.connection
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from opconform.harness.errors import InfrastructureError

Pair = tuple[str, str]
Lines = Sequence[Mapping[str, Any]]


class WorkerLost(InfrastructureError):
    """A worker process of the run died; the log up to here is kept."""


class Bench(Protocol):
    """What one process works with: specs, oracle and running runtimes."""

    def unit(self, op: str, row: str) -> Lines:
        """Run one row."""

    def close(self) -> None:
        """Stop the runtimes."""


#: Sets up a bench in the process that calls it; travels to other processes, so it is a class or a partial of one.
Maker = Callable[[], Bench]


def alone(pairs: Sequence[Pair], make: Maker) -> Iterator[Lines]:
    """Work on the rows in this process."""
    bench = make()
    try:
        for op, row in pairs:
            yield bench.unit(op, row)
    finally:
        bench.close()


def together(pairs: Sequence[Pair], make: Maker, jobs: int) -> Iterator[Lines]:
    """Work on the rows with processes of this machine. Raises WorkerLost where one of them dies."""
    context = multiprocessing.get_context("spawn")
    waiting = list(enumerate(pairs))[::-1]
    finished: dict[int, Lines] = {}
    workers: dict[Any, Any] = {}
    try:
        for _ in range(min(jobs, len(pairs))):
            ours, theirs = context.Pipe()
            worker = context.Process(target=_serve, args=(theirs, make), daemon=False)
            worker.start()
            theirs.close()
            workers[ours] = worker
            ours.send(waiting.pop() if waiting else None)
        position = 0
        while position < len(pairs):
            while position in finished:
                yield finished.pop(position)
                position += 1
            if position < len(pairs):
                _collect(workers, waiting, finished)
    finally:
        _dismiss(workers)


def _serve(connection: Any, make: Maker) -> None:
    """Work on rows until told to stop (the body of a worker process)."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    bench = make()
    try:
        while (task := connection.recv()) is not None:
            connection.send((task, bench.unit(*task[1])))
    except (EOFError, BrokenPipeError):
        pass  # the parent is gone
    finally:
        bench.close()


def _collect(workers: Mapping[Any, Any], waiting: list[Any], finished: dict[int, Lines]) -> None:
    """Take the results that are there, and hand out the next rows."""
    ready: list[Any] = list(multiprocessing.connection.wait(list(workers)))
    for connection in ready:
        try:
            (number, _), lines = connection.recv()
            finished[number] = lines
            if waiting:
                connection.send(waiting.pop())
        except (EOFError, ConnectionError) as error:
            workers[connection].join(1)
            code = workers[connection].exitcode
            text = f"a worker process of this run ended (exit code {code}); the log is kept: run again with --resume"
            raise WorkerLost(text) from error


def _dismiss(workers: Mapping[Any, Any]) -> None:
    for connection, worker in workers.items():
        with contextlib.suppress(OSError):
            connection.send(None)
        connection.close()
        worker.join(5)
        if worker.is_alive():
            worker.terminate()
            worker.join(5)
