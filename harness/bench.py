"""Figures: speed of the suite, overhead of a model, sizes, whole models. They are measured and written, never judged.

Ratios are taken within one run on one machine, medians over repeats; docs/bench.md says how to read them.
"""

from __future__ import annotations

import os
import platform
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from opconform.harness import bench_lite, bench_shards, budgets, budgets_model
from opconform.harness.bench_boards import board_rows
from opconform.harness.bench_models import hello_model, one_op_model
from opconform.harness.bench_networks import NETWORKS
from opconform.harness.flatread import random_inputs, read_model
from opconform.harness.isolate import Executor, connect
from opconform.harness.model import Array, Produced
from opconform.harness.registry import Handle, resolve
from opconform.harness.runner import Selection, run
from opconform.harness.runtime import RuntimeFailure, Unavailable
from opconform.harness.wholemodel import describe

#: What `speed` runs together: the runtimes of the smoke tier's promise.
SUITE = ("lite", "micro@cortex-m4", "litert@ref", "tflm")
#: What `speed` runs one by one.
ALONE = ("lite", "litert@ref", "tflm", "micro@host", "micro@cortex-m4")
OVERHEAD = ("lite", "litert@ref", "tflm", "micro@host", "micro@cortex-m4")
BOARDS = ("cortex-m0", "cortex-m3", "cortex-m4", "cortex-m7", "cortex-m33", "cortex-m55")
#: The ops of a quick run.
QUICK_OPS = ("SOFTMAX",)


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured: medians over so many `repeats`; `quick` takes few ops, boards and invocations."""

    repeats: int = 3
    quick: bool = False
    models: tuple[Path, ...] = ()  # for `networks` and `boards`: these instead of the built-in ones

    @property
    def ops(self) -> tuple[str, ...]:
        """Return the ops that `speed` runs."""
        return QUICK_OPS if self.quick else ("*",)

    @property
    def sharded(self) -> tuple[tuple[str, ...], str]:
        """Return the ops and the tier of a run that is split."""
        return (QUICK_OPS, "smoke") if self.quick else (bench_shards.OPS, "nightly")

    @property
    def seconds(self) -> float:
        """Return how long a pair of runtimes is timed in turn."""
        return 0.02 if self.quick else bench_lite.SECONDS

    @property
    def invocations(self) -> int:
        """Return how many invocations a median of microseconds is taken over."""
        return 50 if self.quick else 300

    @property
    def boards(self) -> tuple[str, ...]:
        """Return the boards that `size` links for."""
        return ("cortex-m3",) if self.quick else BOARDS


@dataclass(frozen=True, slots=True)
class Figure:
    """One number: of which part, of what, in which unit; `value` is None where it could not be measured, `note` why."""

    part: str
    name: str
    value: float | None
    unit: str
    note: str = ""


Figures = Iterator[Figure]
Once = Callable[[], object]


def machine() -> dict[str, Any]:
    """Describe the machine, so that figures are compared with like ones only."""
    packages = ("numpy", "numba", "ai-edge-litert", "tflite-micro", "hypothesis")
    return {
        "processor": _processor(),
        "cpus": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "load": round(os.getloadavg()[0], 2),
        "platform": platform.platform(),
        "python": platform.python_version(),
        "packages": {name: version for name in packages if (version := _version(name))},
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""


def speed(plan: Plan) -> Figures:
    """Measure the smoke tier: seconds and judged cases a second, alone and together, with one process and with two."""
    for name in ALONE:
        yield from _speed_of("alone", (name,), plan)
    yield from _speed_of("suite", SUITE, plan)


def _speed_of(label: str, wanted: Sequence[str], plan: Plan) -> Figures:
    present, absent = _present(wanted)
    for name, why in absent.items():
        yield Figure("speed", f"{label} {name}", None, "cases/s", why)
    if not present:
        return
    shown = "+".join(present)
    selection = Selection(present, plan.ops)
    run(selection, None)  # compiles, builds firmware, fills caches
    seconds = {jobs: _seconds(replace(selection, jobs=jobs), plan.repeats) for jobs in (1, 2)}
    for jobs, (spent, cases) in seconds.items():
        yield Figure("speed", f"{label} {shown} --jobs {jobs} time", spent, "s")
        yield Figure("speed", f"{label} {shown} --jobs {jobs} rate", cases / spent, "cases/s")
    yield Figure("speed", f"{label} {shown} --jobs 2 against 1", seconds[1][0] / seconds[2][0], "times")


def _seconds(selection: Selection, repeats: int) -> tuple[float, int]:
    """Return the median wall time of a run, start of its processes included, and the cases it judges."""
    spent, cases = [], 0
    for _ in range(repeats):
        began = time.perf_counter()
        cases = int(run(selection, None).footer["cases"])
        spent.append(time.perf_counter() - began)
    return statistics.median(spent), cases


def _present(wanted: Sequence[str]) -> tuple[tuple[str, ...], dict[str, str]]:
    absent: dict[str, str] = {}
    for name in wanted:
        try:
            connect(resolve(name)).close()
        except Unavailable as error:
            absent[name] = str(error)
    return tuple(name for name in wanted if name not in absent), absent


def overhead(plan: Plan) -> Figures:
    """Measure opening a one-op model and running one case: inside the process, and over the wire."""
    model, vector = one_op_model()
    for name in OVERHEAD:
        handle = resolve(name)
        yield _timed("overhead", f"{name} over the wire", partial(_wired, handle, model, vector), plan)
        if handle.target == "host" and handle.name != "micro":
            yield _timed("overhead", f"{name} in process", partial(_called, handle, model, vector), plan)


def _timed(part: str, name: str, prepare: Callable[[], tuple[Once, Once]], plan: Plan) -> Figure:
    try:
        once, close = prepare()
    except RuntimeFailure as error:
        return Figure(part, name, None, "us", str(error))
    try:
        return Figure(part, name, _median_us(once, plan.invocations), "us")
    finally:
        close()


def _median_us(once: Once, count: int) -> float:
    once()  # compiled and warm
    spent = []
    for _ in range(count):
        began = time.perf_counter_ns()
        once()
        spent.append(time.perf_counter_ns() - began)
    return statistics.median(spent) / 1000


def _wired(handle: Handle, model: bytes, vector: tuple[Array, ...]) -> tuple[Once, Once]:
    executor = connect(handle)
    outcome = executor.execute(model, [vector])
    if not isinstance(outcome, Produced):
        executor.close()
        raise Unavailable(describe(outcome))
    return lambda: executor.execute(model, [vector]), executor.close


def _called(handle: Handle, model: bytes, vector: tuple[Array, ...]) -> tuple[Once, Once]:
    if handle.unavailable:
        raise Unavailable(handle.unavailable)
    runtime = handle.instantiate()

    def once() -> None:
        session = runtime.open(model)
        session.run(vector)
        session.close()

    return once, lambda: None


def size(plan: Plan) -> Figures:
    """Measure flash and RAM of micro: its core, all kernels together, and an image with the hello_world model."""
    for board in plan.boards:
        try:
            table = budgets.measure_flash(board)
            image = budgets_model.build_image(hello_model(), board)
        except RuntimeFailure as error:
            yield Figure("size", board, None, "bytes", str(error))
            continue
        yield Figure("size", f"{board} core", table.core, "bytes", "interpreter without kernels")
        yield Figure(
            "size", f"{board} kernels", sum(o.own for o in table.ops.values()), "bytes", f"{len(table.ops)} ops"
        )
        yield Figure("size", f"{board} hello_world flash", image.flash, "bytes", "whole image without the model")
        yield Figure("size", f"{board} hello_world core", image.core, "bytes", "interpreter in that image")
        yield Figure("size", f"{board} hello_world ram", image.data, "bytes", "beside stacks and arena")


def models_folder() -> Path:
    """Return the folder of the project's own models, installed or in a checkout."""
    from importlib.resources import files

    return Path(str(files("opconform") / "specs" / "models"))


def built_in() -> list[Path]:
    """Return the models that are measured when none are given; the zoo beside them has `opconform models`."""
    return sorted(models_folder().glob("digits*.tflite"))


def models(plan: Plan) -> Figures:
    """Measure the project's own models: time of an invocation with opening, arena, instructions."""
    for path in built_in():
        data = path.read_bytes()
        vectors = random_inputs(read_model(data, path.name), 0, 1)
        for name in OVERHEAD:
            yield from _model_on(path.stem, name, data, vectors, plan)


def _model_on(stem: str, name: str, data: bytes, vectors: Sequence[tuple[Array, ...]], plan: Plan) -> Figures:
    try:
        executor: Executor = connect(resolve(name))
    except Unavailable as error:
        yield Figure("models", f"{stem} {name}", None, "us", str(error))
        return
    try:
        outcome = executor.execute(data, vectors)
        if not isinstance(outcome, Produced):
            yield Figure("models", f"{stem} {name}", None, "us", describe(outcome))
            return
        yield Figure(
            "models", f"{stem} {name}", _median_us(lambda: executor.execute(data, vectors), plan.invocations), "us"
        )
        yield from _meters(stem, name, outcome.meters)
    finally:
        executor.close()


def _meters(stem: str, name: str, meters: Mapping[str, int]) -> Figures:
    units = {"arena": "bytes", "stack": "bytes", "instructions": "instructions"}
    for meter, unit in units.items():
        if meter in meters:
            yield Figure("models", f"{stem} {name} {meter}", meters[meter], unit)


def boards(plan: Plan) -> Figures:
    """Measure whole models on the boards: flash, arena, stack and instructions, exactly."""
    rows = board_rows(plan.models, built_in()[: 1 if plan.quick else None], plan.boards)
    yield from (Figure("boards", *row) for row in rows)


def layers(plan: Plan) -> Figures:
    """Measure kernels of lite against XNNPACK: how many times faster lite runs one layer."""
    rows = bench_lite.layer_rows(lambda layer: not plan.quick or layer.op in QUICK_OPS, plan.seconds)
    yield from (Figure("layers", *row) for row in rows)


def networks(plan: Plan) -> Figures:
    """Measure whole models on lite against XNNPACK."""
    rows = bench_lite.network_rows(plan.models, built_in(), plan.quick, plan.seconds)
    yield from (Figure("networks", *row) for row in rows)


def memory(plan: Plan) -> Figures:
    """Measure machine code and memory of lite on networks of MobileNet's form."""
    names = [name for name in NETWORKS if "mobilenet" in name]
    yield from (Figure("memory", *row) for row in bench_lite.memory_rows(names[2:3] if plan.quick else names))


def shards(plan: Plan) -> Figures:
    """Measure what a run in parts costs more than one run."""
    yield from (Figure("shards", *row) for row in bench_shards.shard_rows(*plan.sharded))


def ray(plan: Plan) -> Figures:
    """Measure what a second worker of a Ray cluster brings."""
    yield from (Figure("ray", *row) for row in bench_shards.ray_rows(*plan.sharded))


PARTS: Mapping[str, Callable[[Plan], Figures]] = {
    "overhead": overhead,
    "size": size,
    "models": models,
    "boards": boards,
    "layers": layers,
    "networks": networks,
    "memory": memory,
    "speed": speed,
    "shards": shards,
    "ray": ray,
}


def as_json(described: Mapping[str, Any], plan: Plan, figures: Sequence[Figure]) -> dict[str, Any]:
    """Return what out/bench.json holds."""
    rounded = [replace(f, value=None if f.value is None else float(np.round(f.value, 3))) for f in figures]
    return {"format": 1, "machine": dict(described), "plan": _plan(plan), "figures": [asdict(f) for f in rounded]}


def _plan(plan: Plan) -> dict[str, Any]:
    """Return the plan as JSON holds it; models by name."""
    found = {"repeats": plan.repeats, "quick": plan.quick}
    return {**found, "models": [path.name for path in plan.models]} if plan.models else found
