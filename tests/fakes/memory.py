"""Runtimes whose claims of memory, mapping and delegation are wrong, or right, in one known way each."""

from __future__ import annotations

import mmap
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from opconform.harness.model import Array
from opconform.harness.runtime import Manifest, Session, Unsupported
from opconform.runtimes.litert import LiteRT

MEGABYTE = 1 << 20


class Mapper:
    """Maps a model file, as it should be done."""

    def __init__(self, at: str = "") -> None:
        self._carrier = LiteRT(at)

    def describe(self) -> Manifest:
        return Manifest(name=type(self).__name__)

    def open(self, model: bytes) -> Session:
        return self._carrier.open(model)

    def open_file(self, path: Path) -> Session:
        return self._carrier.open_file(path)


class Copier(Mapper):
    """Reads the whole file into memory and keeps it."""

    def open_file(self, path: Path) -> Session:
        return self._carrier.open(path.read_bytes())


class Forgetter(Mapper):
    """Reads the whole file into memory, then lets it go and maps it."""

    def open_file(self, path: Path) -> Session:
        content = np.fromfile(path, np.uint8)
        content += 1
        del content
        return super().open_file(path)


class Toucher(Mapper):
    """Maps the file and reads every page of it: the pages come into memory although nothing is copied."""

    def open_file(self, path: Path) -> Session:
        self.kept = np.memmap(path, np.uint8, "r")
        self.kept[::4096].sum()
        return super().open_file(path)


@dataclass(frozen=True)
class Shifted:
    """A session whose outputs are one too large, and which says that a delegate ran some operators."""

    carrier: Session
    delegated: int
    parts: int
    shift: float

    def run(self, inputs: Sequence[Array]) -> Sequence[Array]:
        return [output + output.dtype.type(self.shift) for output in self.carrier.run(inputs)]

    def meters(self) -> Mapping[str, int]:
        return {"delegated": self.delegated, "parts": self.parts}

    def close(self) -> None:
        self.carrier.close()


class WrongFromFile(Mapper):
    """Maps the file and answers wrong."""

    def open_file(self, path: Path) -> Session:
        return Shifted(super().open_file(path), 0, 0, 1)


class Hoarder(Mapper):
    """Takes 64 MB for whatever it opens."""

    def open(self, model: bytes) -> Session:
        self.hoard = np.ones(64 * MEGABYTE, np.uint8)
        return super().open(model)


class Reader(Mapper):
    """Maps 64 MB of a file and reads all of it, for whatever it opens."""

    def open(self, model: bytes) -> Session:
        with tempfile.TemporaryFile() as file:
            file.truncate(64 * MEGABYTE)
            self.mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        np.frombuffer(self.mapped, np.uint8)[::4096].sum()
        return super().open(model)


class Sharer(Mapper):
    """Takes 64 MB of memory that it could share with others."""

    def open(self, model: bytes) -> Session:
        self.shared = mmap.mmap(-1, 64 * MEGABYTE)
        np.frombuffer(self.shared, np.uint8)[:] = 1
        return super().open(model)


def layers(model: bytes) -> int:
    """Return how many FULLY_CONNECTED operators a model has."""
    root = schema.Model.GetRootAsModel(model, 0)
    graph, codes = root.Subgraphs(0), [root.OperatorCodes(i).BuiltinCode() for i in range(root.OperatorCodesLength())]
    operators = [graph.Operators(index) for index in range(graph.OperatorsLength())]
    return sum(codes[operator.OpcodeIndex()] == schema.BuiltinOperator.FULLY_CONNECTED for operator in operators)


class Delegating:
    """Says that a delegate runs the layers of a model, each as a part."""

    shift = 0.0

    def __init__(self, at: str = "") -> None:
        self._carrier = LiteRT()

    def describe(self) -> Manifest:
        return Manifest(name=type(self).__name__)

    def says(self, model: bytes) -> tuple[int, int]:
        """Return how many operators a delegate runs, and in how many parts."""
        return layers(model), layers(model)

    def open(self, model: bytes) -> Session:
        return Shifted(self._carrier.open(model), *self.says(model), self.shift)


class WrongDelegate(Delegating):
    """Its delegate computes something else."""

    shift = 1.0


class TakesAll(Delegating):
    """Its delegate takes every graph whole."""

    def says(self, model: bytes) -> tuple[int, int]:
        return 3, 1


class TakesNothing(Delegating):
    """Its delegate takes nothing."""

    def says(self, model: bytes) -> tuple[int, int]:
        return 0, 0


class SaysTwo(Delegating):
    """It says the same of every model, and has no delegate."""

    def says(self, model: bytes) -> tuple[int, int]:
        return 2, 2


class OnlyAsVariant(Delegating):
    """Delegates in its variant `fast` alone."""

    def __init__(self, at: str = "") -> None:
        super().__init__()
        self._fast = at == "fast"

    def describe(self) -> Manifest:
        return Manifest(name="OnlyAsVariant", variants=("plain", "fast"), targets=())

    def says(self, model: bytes) -> tuple[int, int]:
        return super().says(model) if self._fast else (0, 0)


class DeclinesAll:
    """Opens nothing."""

    def __init__(self, at: str = "") -> None:
        self._at = at

    def describe(self) -> Manifest:
        return Manifest(name="DeclinesAll")

    def open(self, model: bytes) -> Session:
        raise Unsupported("this runtime supports nothing")
