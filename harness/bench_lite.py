"""Figures of `lite`: layers and whole models against LiteRT with XNNPACK, one thread each; machine code and memory.

Both run in one process in turn, and the shortest time of each counts: what disturbs one disturbs the other.
"""

from __future__ import annotations

import gc
import io
import math
import multiprocessing
import os
import statistics
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from elftools.elf.elffile import ELFFile

from opconform.harness.bench_layers import Layer, layer_model, layers
from opconform.harness.bench_networks import NETWORKS
from opconform.harness.flatread import ModelError, random_inputs, read_model
from opconform.harness.model import Array
from opconform.harness.registry import resolve
from opconform.harness.runtime import RuntimeFailure, Unavailable

ONE, OTHER = "lite", "litert@xnnpack"
#: Seconds that a pair is timed for, and the fewest and most invocations of each.
SECONDS, FEWEST, MOST = 0.25, 5, 3000


class Invocable(Protocol):
    """A session that runs again on its last inputs, without copying them or its outputs."""

    def run(self, inputs: Sequence[Array]) -> Sequence[Array]:
        """Invoke once on these inputs."""
        ...

    def invoke(self) -> None:
        """Invoke again."""
        ...

    def close(self) -> None:
        """Free the model."""
        ...


class Timed(NamedTuple):
    """Shortest microseconds of both, and the widest difference of an output (in steps for integers)."""

    one: float
    other: float
    difference: float

    @property
    def ratio(self) -> float:
        """How many times faster the first is."""
        return self.other / self.one

    @property
    def note(self) -> str:
        """Return the rest in words."""
        return f"{self.one:.1f} us against {self.other:.1f} us, outputs differ by {self.difference:.2g}"


def open_with(name: str, model: bytes) -> Invocable:
    """Open a model with a runtime inside this process. Raises RuntimeFailure."""
    handle = resolve(name)
    if handle.unavailable:
        raise Unavailable(handle.unavailable)
    session: Any = handle.instantiate().open(model)
    return session  # type: ignore[no-any-return]


def shortest(calls: Sequence[Callable[[], object]], seconds: float) -> list[float]:
    """Return the shortest microseconds of each, called in turn."""
    best = [math.inf] * len(calls)
    end, done = time.perf_counter() + seconds, 0
    while done < FEWEST or (done < MOST and time.perf_counter() < end):
        for place, call in enumerate(calls):
            began = time.perf_counter_ns()
            call()
            best[place] = min(best[place], (time.perf_counter_ns() - began) / 1000)
        done += 1
    return best


def compare(model: bytes, inputs: Sequence[Array], seconds: float = SECONDS) -> Timed:
    """Time a model on both runtimes. Raises RuntimeFailure where one cannot run it."""
    sessions = [open_with(name, model) for name in (ONE, OTHER)]
    try:
        results = [session.run(inputs) for session in sessions]
        one, other = shortest([session.invoke for session in sessions], seconds)
    finally:
        for session in sessions:
            session.close()
    return Timed(one, other, max(map(_difference, *results), default=0.0))


def _difference(a: Array, b: Array) -> float:
    if a.shape != b.shape or not a.size or a.dtype.kind not in "fiu":
        return 0.0
    return float(np.abs(a.astype(np.float64) - b.astype(np.float64)).max())


class Row(NamedTuple):
    """A figure: name, value or None, unit, note."""

    name: str
    value: float | None
    unit: str
    note: str = ""


def layer_rows(chosen: Callable[[Layer], bool], seconds: float = SECONDS) -> Iterator[Row]:
    """Yield the ratio of every layer, then by op and dtype the least and the geometric mean."""
    ratios: dict[str, list[float]] = {}
    for layer in filter(chosen, layers()):
        model, inputs = layer_model(layer)
        try:
            timed = compare(model, inputs, seconds)
        except RuntimeFailure as error:
            yield Row(layer.name, None, "times", str(error))
            continue
        ratios.setdefault(f"{layer.op} {layer.dtype}", []).append(timed.ratio)
        yield Row(layer.name, timed.ratio, "times", timed.note)
    for name, found in ratios.items():
        yield Row(f"all {name}", statistics.geometric_mean(found), "times", f"mean; least {min(found):.2f}")


def network_rows(models: Sequence[Path], built_in: Sequence[Path], quick: bool, seconds: float) -> Iterator[Row]:
    """Yield the ratio of whole models: the given files, or without any the project's own and random networks."""
    for path in models or built_in:
        yield _isolated(path.stem, _compare_file, path, seconds)
    if models:
        return
    for name in list(NETWORKS)[2:3] if quick else NETWORKS:
        yield _isolated(name, _compare_network, name, seconds)


def _isolated(name: str, function: Callable[..., Timed], *arguments: object) -> Row:
    """Run in a process of its own: real runtimes may die of a model, and none disturbs the next."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        try:
            timed = pool.submit(function, *arguments).result()
        except (RuntimeFailure, ModelError, OSError) as error:
            return Row(name, None, "times", str(error))
        except BrokenProcessPool:
            return Row(name, None, "times", f"the process died: {ONE} or {OTHER} does not survive this model")
    return Row(name, timed.ratio, "times", timed.note)


def _compare_bytes(data: bytes, name: str, seconds: float) -> Timed:
    return compare(data, random_inputs(read_model(data, name), 0, 1)[0], seconds)


def _compare_file(path: Path, seconds: float) -> Timed:
    return _compare_bytes(path.read_bytes(), str(path), seconds)


def _compare_network(name: str, seconds: float) -> Timed:
    return _compare_bytes(NETWORKS[name](), name, seconds)


class Memory(NamedTuple):
    """Bytes of machine code by kernel, of the arena, of packed weights, and of everything else that a model holds."""

    code: dict[str, int]
    arena: int
    packed: int
    state: int


def memory_rows(names: Sequence[str]) -> Iterator[Row]:
    """Yield machine code and memory of random networks, each in a fresh process with an empty cache of kernels."""
    for name in names:
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
            found = pool.submit(_measure, name).result()
        for kernel, size in sorted(found.code.items()):
            yield Row(f"{name} code of {kernel}", size, "bytes")
        yield Row(f"{name} code", sum(found.code.values()), "bytes", f"{len(found.code)} kernels")
        yield Row(f"{name} state", found.state, "bytes", "beside arena, packed weights and the mapped file")
        yield Row(f"{name} packed weights", found.packed, "bytes", "copies in the order of the kernels")
        yield Row(f"{name} arena", found.arena, "bytes")


def _measure(name: str) -> Memory:
    runtime: Any = resolve(ONE).instantiate()
    with tempfile.TemporaryDirectory() as folder:
        path, cache = Path(folder) / "model.tflite", Path(folder) / "cache"
        path.write_bytes(NETWORKS[name]())
        inputs = random_inputs(read_model(path.read_bytes(), name), 0, 1)[0]
        os.environ["NUMBA_CACHE_DIR"] = str(cache)
        runtime.open_file(path).run(inputs)
        code = {file.name.rpartition("-")[0]: text_size(file.read_bytes()) for file in cache.rglob("*.o")}
        tracemalloc.start()
        session = runtime.open_file(path)
        session.run(inputs)
        gc.collect()
        taken = tracemalloc.take_snapshot()
        tracemalloc.stop()
        arena = int(session.meters()["arena"])
        session.close()
    total = sum(statistic.size for statistic in taken.statistics("filename"))
    packing = taken.filter_traces([tracemalloc.Filter(True, "*packing.py")])
    packed = sum(statistic.size for statistic in packing.statistics("filename"))
    return Memory(code, arena, packed, total - packed - arena)


def text_size(stored: bytes) -> int:
    """Return the bytes of machine code in a cached object file, an ELF file behind a header."""
    elf = ELFFile(io.BytesIO(stored[stored.index(b"\x7fELF") :]))
    return sum(section["sh_size"] for section in elf.iter_sections() if section["sh_flags"] & 4)
