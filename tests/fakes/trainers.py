"""Trainers in float32 NumPy: one that is right, alone and with others, and some that are wrong in one way each."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from multiprocessing.connection import Client, Connection, Listener
from threading import Thread
from typing import Any

import numpy as np

from opconform.harness.model import Array
from opconform.harness.runtime import Manifest, Session, Unsupported

Answer = tuple[float, tuple[Array, ...]]
_SECONDS = 30.0


class Backward:
    """Gradients by the chain rule, steps of plain gradient descent."""

    def gradients(self, weights: Sequence[Array], x: Array, labels: Array) -> Answer:
        w1, b1, w2, b2 = weights
        hidden = np.tanh(x @ w1 + b1)
        logits = hidden @ w2 + b2
        odds = np.exp(logits - logits.max(axis=1, keepdims=True))
        odds /= odds.sum(axis=1, keepdims=True)
        picked = np.arange(len(labels)), labels
        loss = float(-np.log(odds[picked]).mean())
        odds[picked] -= 1
        slope = odds / np.float32(len(labels))
        inner = (slope @ w2.T) * (1 - hidden * hidden)
        return loss, (x.T @ inner, inner.sum(axis=0), hidden.T @ slope, slope.sum(axis=0))

    def step(self, weights: Sequence[Array], gradients: Sequence[Array], rate: float) -> tuple[Array, ...]:
        return tuple(w - np.float32(rate) * g for w, g in zip(weights, gradients, strict=True))


class Shared(Backward):
    """Process 0 listens on its address, sums what the others send and sends back the mean."""

    def __init__(self, addresses: Sequence[str], task: int) -> None:
        host, _, port = addresses[0].rpartition(":")
        self._others, place = len(addresses) - 1, (host, int(port))
        if task:
            self._ends = [_connected(place)]
        else:
            with Listener(place) as listener:
                self._ends = [listener.accept() for _ in range(self._others)]
        self._first = task == 0

    def gradients(self, weights: Sequence[Array], x: Array, labels: Array) -> Answer:
        own = super().gradients(weights, x, labels)
        if not self._first:
            self._ends[0].send(own)
            return self._ends[0].recv()  # type: ignore[no-any-return]
        found = [own, *(end.recv() for end in self._ends)]
        loss = float(np.mean([one[0] for one in found]))
        mean = loss, tuple(np.mean(parts, axis=0) for parts in zip(*(one[1] for one in found), strict=True))
        for end in self._ends:
            end.send(mean)
        return mean


def _connected(place: tuple[str, int]) -> Connection[Any, Any]:
    until = time.monotonic() + _SECONDS
    while True:
        try:
            return Client(place)
        except ConnectionRefusedError:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)


class Right:
    """A runtime that trains, alone and with others, and runs no model."""

    def __init__(self, at: str = "") -> None:
        self._at = at

    def describe(self) -> Manifest:
        return Manifest(name=type(self).__name__.lower())

    def open(self, model: bytes) -> Session:
        raise Unsupported("it only trains")

    def trainer(self) -> Backward:
        return Backward()

    def distributed_trainer(self, addresses: Sequence[str], task: int) -> Backward:
        return Shared(addresses, task)


class Slanted(Backward):
    """The gradient of one bias is a tenth too large."""

    def gradients(self, weights: Sequence[Array], x: Array, labels: Array) -> Answer:
        loss, (w1, b1, w2, b2) = super().gradients(weights, x, labels)
        return loss, (w1, b1 * np.float32(1.1), w2, b2)


class Idle(Backward):
    """Its steps change nothing."""

    def step(self, weights: Sequence[Array], gradients: Sequence[Array], rate: float) -> tuple[Array, ...]:
        return tuple(weights)


class Flattering(Backward):
    """It says that the loss is half of what it is."""

    def gradients(self, weights: Sequence[Array], x: Array, labels: Array) -> Answer:
        loss, gradients = super().gradients(weights, x, labels)
        return loss / 2, gradients


class Dying(Backward):
    """Its process ends."""

    def gradients(self, weights: Sequence[Array], x: Array, labels: Array) -> Answer:
        os._exit(7)


class WrongGradient(Right):
    def trainer(self) -> Backward:
        return Slanted()


class NeverLearns(Right):
    def trainer(self) -> Backward:
        return Idle()


class FlattersItself(Right):
    def trainer(self) -> Backward:
        return Flattering()


class Dies(Right):
    def trainer(self) -> Backward:
        return Dying()


class Alone(Right):
    """What it calls distributed is each process by itself."""

    def distributed_trainer(self, addresses: Sequence[str], task: int) -> Backward:
        return Backward()


class Mutual(Shared):
    """Process 1 asks process 0 once more when it has been answered: it needs that one to be there still."""

    def gradients(self, weights: Sequence[Array], x: Array, labels: Array) -> Answer:
        found = super().gradients(weights, x, labels)
        if self._first:
            Thread(target=self._reassure, daemon=True).start()
        else:
            time.sleep(1.0)
            self._ends[0].send("still there?")
            self._ends[0].recv()
        return found

    def _reassure(self) -> None:
        for end in self._ends:
            end.send(end.recv())


class Lingers(Right):
    """It trains with others by processes that need each other to the end."""

    def distributed_trainer(self, addresses: Sequence[str], task: int) -> Backward:
        return Mutual(addresses, task)
