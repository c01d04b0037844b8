"""Many clients at once against one server: how fast, what was lost, and what came back other than it should."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from opconform.harness.flatread import random_inputs, read_model
from opconform.harness.model import Array
from opconform.harness.registry import resolve
from opconform.harness.runtime import RuntimeFailure

#: Different inputs, which clients send in turn.
VECTORS = 64


@dataclass(frozen=True, slots=True)
class Share:
    """What one client saw: when it began and ended (monotonic seconds), latencies in seconds, what went wrong."""

    began: float
    ended: float
    latencies: tuple[float, ...]
    different: int
    errors: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Figures:
    """A load test: `lost` requests had no answer, `different` ones another than lite gives in this process."""

    source: str
    clients: int
    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float
    lost: int
    different: int
    first_error: str

    @property
    def rate(self) -> float:
        """Return answers per second."""
        return (self.requests - self.lost) / max(self.seconds, 1e-9)


def measure(source: str, file: Path, clients: int, requests: int) -> Figures:
    """Let `clients` processes send `requests` requests in all to a model that the server has.

    `source` is a runtime with a URL and ?model=. Raises ModelError for a file that is no model, and RuntimeFailure.
    """
    data = file.read_bytes()
    vectors = random_inputs(read_model(data, str(file)), 0, VECTORS)
    session = resolve("lite").instantiate().open(data)
    wanted = [[np.asarray(output) for output in session.run(vector)] for vector in vectors]
    counts = [requests // clients + (n < requests % clients) for n in range(clients)]
    with ProcessPoolExecutor(clients, multiprocessing.get_context("spawn")) as pool:
        futures = [pool.submit(client, source, data, vectors, wanted, count) for count in counts]
        shares = [future.result() for future in futures]
    return figures(source, clients, requests, shares)


def figures(source: str, clients: int, requests: int, shares: Sequence[Share]) -> Figures:
    """Add up what the clients saw."""
    latencies = np.array([latency for share in shares for latency in share.latencies] or [np.nan]) * 1e3
    seconds = max(share.ended for share in shares) - min(share.began for share in shares)
    errors = [error for share in shares for error in share.errors]
    answered = sum(len(share.latencies) for share in shares)
    different = sum(share.different for share in shares)
    p50, p99 = (float(np.percentile(latencies, share)) for share in (50, 99))
    return Figures(source, clients, requests, seconds, p50, p99, requests - answered, different, (*errors, "")[0])


def client(
    source: str, data: bytes, vectors: Sequence[Sequence[Array]], wanted: Sequence[Sequence[Array]], count: int
) -> Share:
    """Be one client: send `count` requests one after the other, and compare every answer bit for bit."""
    latencies, different, errors = [], 0, list[str]()
    began = time.monotonic()
    try:
        session = resolve(source).instantiate().open(data)
    except Exception as error:  # a client that cannot begin loses all its requests
        return Share(began, time.monotonic(), (), 0, (_words(error),))
    began = time.monotonic()
    for number in range(count):
        at = time.perf_counter()
        try:
            outputs = session.run(vectors[number % len(vectors)])
        except Exception as error:  # whatever it is, the request is lost
            errors.append(_words(error))
            continue
        latencies.append(time.perf_counter() - at)
        different += not same(outputs, wanted[number % len(wanted)])
    ended = time.monotonic()
    session.close()
    return Share(began, ended, tuple(latencies), different, tuple(errors))


def _words(error: Exception) -> str:
    """Return an error in one line: a failure of the contract says all itself."""
    return str(error) if isinstance(error, RuntimeFailure) else f"{type(error).__name__}: {error}"


def same(found: Sequence[Array], wanted: Sequence[Array]) -> bool:
    """Tell whether outputs have the same dtypes, shapes and bits."""
    return len(found) == len(wanted) and all(
        (a.dtype, a.shape, a.tobytes()) == (b.dtype, b.shape, b.tobytes()) for a, b in zip(found, wanted, strict=True)
    )
