"""Where the decisions of a case come from: hypothesis, a seeded generator, or a case id."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

Pick = Callable[[int, int], int]


class Discard(Exception):
    """A draw breaks a clause of its spec; `label` names the clause."""

    def __init__(self, label: str) -> None:
        super().__init__(label)
        self.label = label


class Source:
    """Hands out bounded integers and records them with their bounds.

    The record is the case: choices and bounds together give the id, and the choices
    alone rebuild the case through `replay`. `large` is no decision: it says how sizes are to be decided,
    and the check of the id keeps it.
    """

    def __init__(
        self, pick: Pick, forced: bool = True, settled: Mapping[str, int] | None = None, large: bool = False
    ) -> None:
        self._pick = pick
        self.large = large
        self._forced = forced  # a replay reads even the decisions that generation fixes
        self._settled = settled or {}
        self.choices: list[int] = []
        self.sizes: list[int] = []

    def integer(self, low: int, high: int) -> int:
        """Decide a number in [low, high]; an empty range is discarded."""
        if high < low:
            raise Discard("domain")
        value = low if high == low else min(max(self._pick(low, high), low), high)
        if high > low:
            self.choices.append(value - low)
            self.sizes.append(high - low + 1)
        return value

    def fixed(self, name: str, value: int, low: int, high: int) -> int:
        """Record a decision that the caller has made (a replay returns the recorded one, or the settled one)."""
        if not self._forced:
            if high > low:
                value = self._pick(low, high)
            value = min(max(self._settled.get(name, value), low), high)
        if high > low:
            self.choices.append(value - low)
            self.sizes.append(high - low + 1)
        return value

    def boolean(self) -> bool:
        """Decide yes or no; no is the simpler one."""
        return bool(self.integer(0, 1))

    def element(self, options: Sequence[object]) -> int:
        """Decide an index into options; the first is the simplest."""
        return self.integer(0, len(options) - 1)


def seeded(seed: Sequence[int], large: bool = False) -> Source:
    """Return a source of uniform decisions from a Philox generator (the same on every machine)."""
    generator = np.random.Generator(np.random.Philox(np.random.SeedSequence(list(seed))))
    return Source(lambda low, high: int(generator.integers(low, high, endpoint=True)), large=large)


def replay(choices: Sequence[int], settled: Mapping[str, int] | None = None, large: bool = False) -> Source:
    """Return a source that repeats recorded choices (offsets from the low bound), then the simplest ones.

    `settled` overrides named decisions: how a shrinker cuts a case down to one vector.
    """
    remaining = iter(choices)
    return Source(lambda low, high: low + next(remaining, 0), forced=False, settled=settled, large=large)
