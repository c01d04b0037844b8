"""Training and distributed compute: gradients against float64 differences, a loss that falls, work that is shared.

The network of runtime.Trainer classifies 8 x 8 digits, the images of specs/models/digits.npz (scikit-learn's, from its
package). Whatever a trainer returns is judged by the same network in float64 here: its own word on the loss counts for
nothing.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import numpy as np

from opconform.harness.apart import apart, staying
from opconform.harness.claims import Evidence, Subject
from opconform.harness.model import Array
from opconform.harness.registry import resolve
from opconform.harness.spec_load import spec_folder

HIDDEN, CLASSES = 16, 10
#: Gradient descent: so many steps at this rate bring the loss of the digits to a small part of what it was.
STEPS, RATE = 60, 1.0
#: The loss must fall below this share of what it was.
FALLEN = 0.5
#: Of the norm of a gradient: float32 sums over 64 images of 64 pixels are within about 1e-6 of the float64 ones, and
#: central differences with this width within 1e-9; a wrong gradient is off by parts of 1.
GRADIENT_BOUND, WIDTH = 1e-4, 1e-5
#: Weights of each tensor for which differences are taken, spread evenly.
DIFFERENCES = 24
PROCESSES = 2

Weights = tuple[Array, ...]
Answer = tuple[float, Weights]


@dataclass(frozen=True, slots=True)
class Batch:
    """Images [n, 64] float32 in [0, 1] and their labels [n] int64."""

    x: Array
    labels: Array


def digits() -> Batch:
    """Return the images that lie beside the project's own models."""
    stored = np.load(spec_folder().parent / "models" / "digits.npz", allow_pickle=False)
    images = stored["images"].astype(np.float32) / 16
    return Batch(images.reshape(len(images), -1), stored["labels"].astype(np.int64))


def first_weights(inputs: int) -> Weights:
    """Return the float32 weights that training starts from."""
    draw = np.random.default_rng(11)
    w1, w2 = (draw.normal(0, a**-0.5, (a, b)).astype(np.float32) for a, b in ((inputs, HIDDEN), (HIDDEN, CLASSES)))
    return w1, np.zeros(HIDDEN, np.float32), w2, np.zeros(CLASSES, np.float32)


def loss(weights: Sequence[Array], batch: Batch) -> float:
    """Return the mean cross-entropy of the network of runtime.Trainer, in float64."""
    w1, b1, w2, b2 = (np.asarray(part, np.float64) for part in weights)
    answer = np.tanh(batch.x.astype(np.float64) @ w1 + b1) @ w2 + b2
    answer -= answer.max(axis=1, keepdims=True)
    logs = answer - np.log(np.exp(answer).sum(axis=1, keepdims=True))
    return float(-logs[np.arange(len(batch.labels)), batch.labels].mean())


def gradient_error(gradients: Sequence[Array], weights: Weights, batch: Batch) -> float:
    """Return how far gradients are from central differences of `loss`, in parts of the latter's norm; the worst tensor.

    Infinite where a gradient has not the shape of its weights.
    """
    if [np.shape(one) for one in gradients] != [one.shape for one in weights]:
        return float("inf")
    return max(_tensor_error(number, found, weights, batch) for number, found in enumerate(gradients))


def _tensor_error(number: int, found: Array, weights: Weights, batch: Batch) -> float:
    size = weights[number].size
    places = np.unique(np.linspace(0, size - 1, min(size, DIFFERENCES)).astype(int))
    want = np.array([_difference(number, place, weights, batch) for place in places])
    error = float(np.linalg.norm(np.asarray(found, np.float64).ravel()[places] - want) / np.linalg.norm(want))
    return error if np.isfinite(error) else float("inf")


def _difference(number: int, place: int, weights: Weights, batch: Batch) -> float:
    ends = []
    for step in (WIDTH, -WIDTH):
        moved = [np.array(part, np.float64) for part in weights]
        moved[number].ravel()[place] += step
        ends.append(loss(moved, batch))
    return (ends[0] - ends[1]) / (2 * WIDTH)


def check_training(subject: Subject) -> Evidence:
    """Check the gradients of a runtime's trainer, and that its steps make the loss fall."""
    if not _offers(subject, "trainer"):
        return Evidence("training", False, "no", "its class has no trainer", "it offers nothing that trains")
    batch = digits()
    weights = first_weights(batch.x.shape[1])
    (said, gradients), trained = apart(_train, subject.handle.source, weights, batch)
    before, after = loss(weights, batch), loss(trained, batch)
    error = gradient_error(gradients, weights, batch)
    source = (
        f"{len(batch.labels)} images of specs/models/digits.npz, {STEPS} steps; float64 differences of "
        f"{4 * DIFFERENCES} weights at most"
    )
    measured = f"loss {before:.3g} to {after:.3g}, gradients within {error:.1g}"
    why = _untrained(said, before, after, error)
    return Evidence("training", not why, measured, source, why)


def _untrained(said: float, before: float, after: float, error: float) -> str:
    if not abs(said - before) <= GRADIENT_BOUND * before:
        return f"its loss is {said:.6g}, in float64 {before:.6g}"
    if not error <= GRADIENT_BOUND:
        return f"gradients are {error:.2g} of their norm off, {GRADIENT_BOUND:g} is allowed"
    if not after <= FALLEN * before:
        return f"the loss did not fall below {FALLEN:g} of what it was"
    return ""


def _offers(subject: Subject, method: str) -> bool:
    """Tell whether a runtime's class has a method; a program has no class."""
    return not subject.handle.command and hasattr(subject.handle.instantiate(), method)


def _train(source: str, weights: Weights, batch: Batch) -> tuple[Answer, Weights]:
    """Return loss and gradients at the start, and the weights after training (in a process of its own)."""
    trainer = _runtime(source).trainer()
    first = trainer.gradients(weights, batch.x, batch.labels)
    gradients = first[1]
    for _ in range(STEPS):
        weights = tuple(np.asarray(part) for part in trainer.step(weights, gradients, RATE))
        gradients = trainer.gradients(weights, batch.x, batch.labels)[1]
    return (float(first[0]), tuple(np.asarray(part) for part in first[1])), weights


def _runtime(source: str) -> Any:
    return resolve(source).instantiate()


def check_distributed_compute(subject: Subject) -> Evidence:
    """Let processes on loopback share a batch: each must get the gradients of the whole of it."""
    if not _offers(subject, "distributed_trainer"):
        why = "it offers nothing that several processes share"
        return Evidence("distributed_compute", False, "no", "its class has no distributed_trainer", why)
    batch = digits()
    weights = first_weights(batch.x.shape[1])
    parts = [Batch(batch.x[number::PROCESSES], batch.labels[number::PROCESSES]) for number in range(PROCESSES)]
    answers = _shared(subject.handle.source, weights, parts)
    errors = [gradient_error(gradients, weights, batch) for _, gradients in answers]
    alone = min(gradient_error(gradients, weights, part) for (_, gradients), part in zip(answers, parts, strict=True))
    source = f"{PROCESSES} processes on loopback, each with a part of {len(batch.labels)} images; float64 differences"
    measured = f"{PROCESSES} processes, gradients within {max(errors):.1g} of those of all"
    why = _unshared(max(errors), alone)
    return Evidence("distributed_compute", not why, measured, source, why)


def _unshared(error: float, alone: float) -> str:
    if not error <= GRADIENT_BOUND:
        words = "those of its own part alone" if alone <= GRADIENT_BOUND else f"{error:.2g} of their norm off"
        return f"a process got gradients that are not those of the whole batch but {words}"
    return ""


def _shared(source: str, weights: Weights, parts: Sequence[Batch]) -> list[Answer]:
    addresses = tuple(f"127.0.0.1:{port}" for port in _free_ports(len(parts)))
    with ExitStack() as stack, ThreadPoolExecutor(len(parts)) as pool:
        processes = [staying(_share, source, addresses, task, weights, part) for task, part in enumerate(parts)]
        calls = [pool.submit(stack.enter_context, process) for process in processes]
        return [call.result() for call in calls]  # no process ends while another may still ask it


def _share(source: str, addresses: Sequence[str], task: int, weights: Weights, batch: Batch) -> Answer:
    """Return what one of the processes gets (in a process of its own)."""
    found = _runtime(source).distributed_trainer(addresses, task).gradients(weights, batch.x, batch.labels)
    return float(found[0]), tuple(np.asarray(part) for part in found[1])


def _free_ports(count: int) -> list[int]:
    """Return ports of loopback that were free a moment ago."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports
