"""Rows of a run on a Ray cluster (the extra `ray`): one actor per processor, and a row whose actor dies runs again."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Sequence
from typing import Any

from opconform.harness.crew import Lines, Maker, Pair, WorkerLost
from opconform.harness.runtime import Unavailable

#: A row that takes down so many workers in a row is the row's fault, not the cluster's.
ATTEMPTS = 3


class _Worker:
    """What runs as an actor: a bench that is set up with the first row."""

    def __init__(self, make: Maker) -> None:
        self._bench = make()

    def unit(self, op: str, row: str) -> Lines:
        return self._bench.unit(op, row)

    def process(self) -> tuple[str, int]:
        """Return the node and process that work, for whoever wants to look at them."""
        return os.uname().nodename, os.getpid()


def connect(address: str) -> Any:
    """Join the cluster at an address ("" starts one on this machine); return the module ray.

    Raises Unavailable where Ray is not installed or the cluster does not answer.
    """
    try:
        import ray

        is_there = ray.is_initialized
    except (ImportError, AttributeError) as error:  # a mere folder of that name, as Ray leaves in /tmp, imports too
        raise Unavailable("--engine ray: Ray is not installed; use tox -e ray, or install opconform[ray]") from error
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    if not is_there():
        if address:
            _answers(address)
        try:
            ray.init(address=address or None, log_to_driver=False, configure_logging=False, include_dashboard=False)
        except Exception as error:  # Ray raises what it happens to: ConnectionError, RuntimeError, a bare Exception
            raise Unavailable(_not_joined(address, error)) from error
    return ray


def _not_joined(address: str, error: Exception) -> str:
    first = str(error).splitlines()[0] if str(error) else type(error).__name__
    if address:
        return f"--address {address}: no Ray cluster there ({first[:200]}); start one with `ray start --head`"
    return f"--engine ray: Ray starts no cluster on this machine ({first[:200]}); try again, or give --address"


def disconnect() -> None:
    """Leave the cluster; one that `connect` started ends."""
    import ray

    ray.shutdown()


def _answers(address: str) -> None:
    """Raise Unavailable unless something listens at HOST:PORT: Ray itself would try for minutes."""
    host, _, port = address.rpartition(":")
    if not (host and port.isdecimal() and int(port) < 65536):
        raise Unavailable(f"--address {address}: is no HOST:PORT; give that of the cluster's head node")
    try:
        socket.create_connection((host, int(port)), timeout=5).close()
    except OSError as error:
        text = f"--address {address}: no Ray cluster there ({error}); start one with `ray start --head`"
        raise Unavailable(text) from error


def distributed(pairs: Sequence[Pair], make: Maker, jobs: int, address: str = "") -> Iterator[Lines]:
    """Work on the rows with up to `jobs` actors; lines come in the order of the rows.

    An actor that dies is replaced and its row runs again. Raises WorkerLost where a row takes down several.
    """
    ray = connect(address)
    crew = _Crew(ray, make, pairs, min(jobs, len(pairs)))
    try:
        yield from crew.lines()
    finally:
        crew.dismiss()


class _Crew:
    """The actors, what each of them works on, and what is still to be done."""

    def __init__(self, ray: Any, make: Maker, pairs: Sequence[Pair], size: int) -> None:
        self._ray, self._make, self._pairs = ray, make, pairs
        self._actor = ray.remote(num_cpus=1, max_restarts=0)(_Worker)
        self._waiting = list(range(len(pairs)))[::-1]
        self._tries = [0] * len(pairs)
        self._running: dict[Any, tuple[int, Any]] = {}
        for _ in range(size):
            self._next(self._hire())

    def _hire(self) -> Any:
        return self._actor.remote(self._make)

    def _next(self, actor: Any) -> None:
        """Give an actor its next row, or let it go."""
        if not self._waiting:
            self._ray.kill(actor)
            return
        number = self._waiting.pop()
        self._tries[number] += 1
        self._running[actor.unit.remote(*self._pairs[number])] = (number, actor)

    def lines(self) -> Iterator[Lines]:
        """Yield the lines of every row in order."""
        finished: dict[int, Lines] = {}
        for position in range(len(self._pairs)):
            while position not in finished:
                ready, _ = self._ray.wait(list(self._running), num_returns=1)
                self._take(ready[0], finished)
            yield finished.pop(position)

    def _take(self, task: Any, finished: dict[int, Lines]) -> None:
        number, actor = self._running.pop(task)
        try:
            finished[number] = self._ray.get(task)
        except self._ray.exceptions.RayTaskError as error:  # the row itself failed, as it would at home
            raise error.as_instanceof_cause() from None
        except self._ray.exceptions.RayError as error:
            if self._tries[number] >= ATTEMPTS:
                op, row = self._pairs[number]
                text = f"{op}/{row} took down {ATTEMPTS} workers; the log is kept: run again with --resume"
                raise WorkerLost(text) from error
            self._waiting.append(number)
            actor = self._hire()
        self._next(actor)

    def dismiss(self) -> None:
        """Stop the actors; the cluster stays."""
        for _, actor in self._running.values():
            self._ray.kill(actor)
