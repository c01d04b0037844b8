"""Runtimes that claim what they cannot do, one thing each: `--runtime tests/fakes/boasters.py:WrongInt8`.

Each is LiteRT with a manifest that claims everything modest, but for the one thing in which it boasts.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from opconform.harness.claim_values import CLAIMS
from opconform.harness.flatread import read_model
from opconform.harness.model import Array
from opconform.harness.runtime import InvalidModel, Manifest, Session, Unsupported
from opconform.runtimes.lite import Lite
from opconform.runtimes.lite.executor import new_arena
from opconform.runtimes.lite.interpreter import LiteSession
from opconform.runtimes.litert import LiteRT

MODEST: dict[str, object] = {
    "training": False,
    "inference": True,
    "ops": 1,
    "native_quantization": False,
    "os_independence": False,
    "memory_mapped_models": False,
    "delegation": False,
    "distributed_compute": False,
    "binary_size": "1 GB",
    "base_memory": "1 GB",
    "fixed_weights": False,
    "fixed_topology": True,
}


@dataclass(frozen=True)
class Altered:
    """A session that changes outputs."""

    carrier: Session
    change: Any

    def run(self, inputs: Sequence[Array]) -> Sequence[Array]:
        return [self.change(output) for output in self.carrier.run(inputs)]

    def meters(self) -> dict[str, int]:
        return {}

    def close(self) -> None:
        self.carrier.close()


class Modest:
    """LiteRT, which claims little; `boasts` is what a runtime below claims beyond that."""

    boasts: ClassVar[dict[str, object]] = {}

    def __init__(self, at: str = "") -> None:
        self._carrier = LiteRT(at)

    def describe(self) -> Manifest:
        return Manifest(name=type(self).__name__.lower(), claims=MODEST | self.boasts)

    def open(self, model: bytes) -> Session:
        return self._carrier.open(model)


class BoastsOfAll(Modest):
    """It claims everything that can be claimed, and of sizes too little."""

    boasts: ClassVar[dict[str, object]] = {
        claim: {bool: True, int: 500, str: "1 KB"}[kind] for claim, kind in CLAIMS.items()
    }


class ManyOps(Modest):
    """It claims more operators than there are."""

    boasts: ClassVar[dict[str, object]] = {"ops": 500}


class Choosy(Modest):
    """It refuses every other legal model."""

    def __init__(self, at: str = "") -> None:
        super().__init__(at)
        self._asked = 0

    def open(self, model: bytes) -> Session:
        self._asked += 1
        if self._asked % 2:
            raise InvalidModel("not this one")
        return super().open(model)


class WrongInt8(Modest):
    """Its int8 results are one quantum too large, which no bound of rounding explains."""

    boasts: ClassVar[dict[str, object]] = {"native_quantization": True}

    def open(self, model: bytes) -> Session:
        return Altered(self._carrier.open(model), self._one_more)

    @staticmethod
    def _one_more(output: Array) -> Array:
        return np.where(output < 127, output + 1, output).astype(output.dtype) if output.dtype == np.int8 else output


class WrongFloat(Modest):
    """Its float32 results are off by a millionth part; it knows no int8."""

    def open(self, model: bytes) -> Session:
        return Altered(self._carrier.open(model), self._off)

    @staticmethod
    def _off(output: Array) -> Array:
        if output.dtype == np.int8:
            raise Unsupported("no int8")
        return np.asarray(output * np.float32(1.00001), np.float32)


class SoftWeights(Modest):
    """A model may write into its weights."""

    boasts: ClassVar[dict[str, object]] = {"fixed_weights": True}


class SoftPages(Modest):
    """It refuses a model that writes into its weights, but keeps them where anything may write."""

    boasts: ClassVar[dict[str, object]] = {"fixed_weights": True}

    def open(self, model: bytes) -> Session:
        place = new_arena(len(model))
        place[:] = np.frombuffer(model, np.uint8)
        return LiteSession(place, None)


class Zipped(Modest):
    """It keeps models compressed and opens them for each invocation: nobody sees its weights."""

    boasts: ClassVar[dict[str, object]] = {"fixed_weights": True}

    def open(self, model: bytes) -> Session:
        Lite().open(model).close()
        return Unzipped(zlib.compress(model))


class Unzipped:
    """A session that is opened for each invocation from compressed bytes."""

    def __init__(self, model: bytes) -> None:
        self._model = model

    def run(self, inputs: Sequence[Array]) -> Sequence[Array]:
        session = Lite().open(zlib.decompress(self._model))
        outputs = [output.copy() for output in session.run(inputs)]
        session.close()
        return outputs

    def meters(self) -> dict[str, int]:
        return {}

    def close(self) -> None:
        return None


class DeadWithWeights(Modest):
    """It dies of every model that has weights: no write reaches them, and no use does."""

    boasts: ClassVar[dict[str, object]] = {"fixed_weights": True}

    def open(self, model: bytes) -> Session:
        os.abort()


class Elastic(Modest):
    """Its sessions take inputs of any shape: each shape gets a graph of its own."""

    def open(self, model: bytes) -> Session:
        return Stretched(self._carrier, model)


class Stretched:
    """A session whose graph follows its inputs: it is ABS and ADD of 100, whatever comes."""

    def __init__(self, carrier: LiteRT, model: bytes) -> None:
        self._session = carrier.open(model)

    def run(self, inputs: Sequence[Array]) -> Sequence[Array]:
        try:
            return self._session.run(inputs)
        except InvalidModel:
            return [inputs[0] + np.float32(100)]

    def meters(self) -> dict[str, int]:
        return {}

    def close(self) -> None:
        self._session.close()


class Int8Only(Modest):
    """It knows int8 alone."""

    def open(self, model: bytes) -> Session:
        return Altered(self._carrier.open(model), self._int8)

    @staticmethod
    def _int8(output: Array) -> Array:
        if output.dtype != np.int8:
            raise Unsupported("int8 only")
        return output


class ReadsAgain(Modest):
    """It reads its file anew for every invocation: who writes the file changes the opened model."""

    def open_file(self, path: Path) -> Session:
        return Anew(self._carrier, path)


class Anew:
    """A session that is opened for each invocation."""

    def __init__(self, carrier: LiteRT, path: Path) -> None:
        self._carrier, self._path = carrier, path

    def run(self, inputs: Sequence[Array]) -> Sequence[Array]:
        return self._carrier.open(self._path.read_bytes()).run(inputs)

    def meters(self) -> dict[str, int]:
        return {}

    def close(self) -> None:
        return None


class OneByOne(Modest):
    """It takes models of one operator."""

    def open(self, model: bytes) -> Session:
        if len(read_model(model, "a model").operations) > 1:
            raise Unsupported("one operator at a time")
        return self._carrier.open(model)
