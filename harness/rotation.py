"""Which of several boards runs a row, where a run is asked for NAME@boards."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

from opconform.harness.registry import Handle, resolve_all

#: Tiers in which every board runs every row.
EVERYWHERE = ("nightly",)


@dataclass(frozen=True, slots=True)
class Rotation:
    """Runtimes, by label, of which one at a time runs a row; all others run every row.

    Which one follows from op, row and seed alone: the next seed gives each row to the next board, and as many seeds
    as there are boards have had every row on each.
    """

    labels: tuple[str, ...] = ()
    seed: int = 0

    def takes(self, label: str, op: str, row: str) -> bool:
        """Tell whether a runtime runs a row."""
        if label not in self.labels:
            return True
        return self.labels[(zlib.crc32(f"{op}/{row}".encode()) + self.seed) % len(self.labels)] == label

    def share(self, label: str, pairs: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
        """Return the rows, as (op, row), that a runtime runs."""
        return [(op, row) for op, row in pairs if self.takes(label, op, row)]


def rotation(handles: Sequence[Handle], tier: str, seed: int) -> Rotation:
    """Return how the runtimes of a run share its rows; in the nightly tier they do not."""
    shared = () if tier in EVERYWHERE else tuple(handle.label for handle in handles if handle.rotates)
    return Rotation(shared, seed)


def asked_for(sources: Sequence[str]) -> list[Handle]:
    """Return the runtimes that names mean, each once; a board that is also named by itself runs every row.

    Raises as registry.resolve does.
    """
    found: dict[str, Handle] = {}
    for handle in (handle for source in sources for handle in resolve_all(source)):
        if handle.label not in found or not handle.rotates:
            found[handle.label] = handle
    return list(found.values())
