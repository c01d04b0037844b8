"""Shrink a failing case with the runtime under test in the loop: structure first, then elements.

A case is a list of small numbers (its choices), so shrinking is making the numbers
smaller while the runtime still fails in the same way. Hypothesis shrinks the same way,
but cannot start from a case that is given; here the case always is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from opconform.harness.generate.build import build
from opconform.harness.generate.cases import MOST_FOCUS, Built, Kernel, ReferenceMismatch
from opconform.harness.generate.source import Discard, replay
from opconform.harness.model import Verdict
from opconform.harness.spec import OpSpec

#: (case) -> its verdict on the runtime under test, None where the runtime's manifest takes the case out
Check = Callable[[Built], Verdict | None]


@dataclass(frozen=True, slots=True)
class Shrunk:
    """The smallest case found that fails in the same way, and its verdict."""

    built: Built
    verdict: Verdict
    runs: int


class _Search:
    """Keeps the best case so far and spends the budget."""

    def __init__(self, spec: OpSpec, row: str, kernel: Kernel, check: Check, start: Built, verdict: Verdict) -> None:
        self._spec, self._row, self._kernel, self._check = spec, row, kernel, check
        self.best, self.verdict, self.runs = start, verdict, 0

    def attempt(self, choices: Sequence[int], settled: Mapping[str, int] | None = None) -> bool:
        """Build and run a candidate; keep it if it fails in the same way and is smaller."""
        try:
            source = replay(choices, settled, "large" in self.best.case.classes)
            built = build(self._spec, self._row, source, self._kernel)
        except (Discard, ReferenceMismatch):
            return False
        if not settled and _weight(built.case.choices) >= _weight(self.best.case.choices):
            return False
        verdict = self._check(built)
        if verdict is None:
            return False
        self.runs += 1
        if (verdict.kind, verdict.clause) != (self.verdict.kind, self.verdict.clause):
            return False
        self.best, self.verdict = built, verdict
        return True


def _weight(choices: Sequence[int]) -> tuple[int, int, Sequence[int]]:
    return sum(choices), len(choices), choices


def shrink(spec: OpSpec, start: Built, verdict: Verdict, kernel: Kernel, check: Check, budget: int) -> Shrunk:
    """Shrink a failing case; `budget` bounds the runs (a count, not seconds: the log must not depend on speed)."""
    search = _Search(spec, start.case.row, kernel, check, start, verdict)
    if not start.case.violates:
        _one_vector(search)
    _smaller_numbers(search, budget)
    if not start.case.violates:
        # Last: a smaller number for the focus would mean all elements again.
        _fewer_elements(search, budget + budget // 2)
    return Shrunk(search.best, search.verdict, search.runs)


def _one_vector(search: _Search) -> None:
    """Start the case at the vector that fails, and end it there."""
    case = search.best.case
    if len(case.vectors) > 1 and search.verdict.vector >= 0:
        search.attempt(case.choices, {"vectors": 1, "first": search.verdict.vector})


def _smaller_numbers(search: _Search, budget: int) -> None:
    progress = True
    while progress and search.runs < budget:
        progress = False
        position = 0
        while position < len(search.best.case.choices) and search.runs < budget:
            for smaller in _smaller(search.best.case.choices[position]):
                choices = list(search.best.case.choices)
                choices[position] = smaller
                if search.attempt(choices):
                    progress = True
                    break
                if search.runs >= budget:
                    break
            position += 1


def _smaller(value: int) -> Iterator[int]:
    """Yield 0, then ever closer values below."""
    if value > 0:
        yield 0
    step = value // 2
    while step > 0:
        yield value - step
        step //= 2


def _fewer_elements(search: _Search, budget: int) -> None:
    """Keep one element, else two ..., of the fed inputs; the others become zero."""
    index, fed = search.verdict.index, [v.size for v in search.best.case.vectors[0]] if search.best.case.vectors else []
    total = sum(fed)
    if total < 2 or (search.best.case.classes == ("exhaustive",) and not index):
        return
    kept = list(range(total))
    for count in range(1, MOST_FOCUS + 1):
        for start in range(0, total, count):
            if search.runs >= budget:
                return
            focus = kept[start : start + count]
            settled = {"focus": len(focus), **{f"focus{n}": element for n, element in enumerate(focus)}}
            if search.attempt(search.best.case.choices, settled):
                return
