"""delegation: a graph of which a delegate runs some operators and the interpreter the others, with right results."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from opconform.harness.claims import Evidence, Subject
from opconform.harness.claims_models import MIDDLES, sandwich
from opconform.harness.isolate import connect
from opconform.harness.model import Produced
from opconform.harness.registry import Handle

CLAIM = "delegation"
_OPERATORS = 3


@dataclass(frozen=True, slots=True)
class Partition:
    """How one variant ran the graph with one operator in the middle: operators and parts of the delegate, and whether
    the answer was right."""

    label: str
    middle: str
    delegated: int
    parts: int
    right: bool

    @property
    def is_one(self) -> bool:
        """Tell whether the delegate got a part of the graph: not nothing, and not all of it."""
        return 0 < self.delegated < _OPERATORS and self.parts > 0

    def __str__(self) -> str:
        operators = f"{self.delegated} of {_OPERATORS} operators in {self.parts} part{'s' * (self.parts != 1)}"
        return f"{self.label} delegates {operators} of FULLY_CONNECTED, {self.middle}, FULLY_CONNECTED"


def check_delegation(subject: Subject) -> Evidence:
    """Run two layers with another operator between them on every variant, until a delegate takes a part of them.

    Every number is exact in float32, so an answer is right only if it is the one value that it can be.
    """
    ran = list(_partitions(subject))
    found = [one for one in ran if one.is_one]
    source = "meters delegated and parts of the wire: "
    if not found:
        all_or_nothing = next((one for one in ran if one.delegated), None)
        why = f"{all_or_nothing}: that is no partition" if all_or_nothing else "no variant delegates an operator"
        return Evidence(
            CLAIM, False, "none", source + (", ".join(sorted({one.label for one in ran})) or "none ran"), why
        )
    wrong = next((one for one in found if not one.right), None)
    shown = wrong or found[0]
    measured = f"{shown.delegated} of {_OPERATORS} operators in {shown.parts} parts"
    return Evidence(
        CLAIM, wrong is None, measured, source + str(shown), f"{wrong}: the answer is wrong" if wrong else ""
    )


def _partitions(subject: Subject) -> Iterator[Partition]:
    """Yield how each variant ran each graph that it runs; the variant that was asked for comes first."""
    for handle in _variants(subject.handle):
        executor = subject.connect() if handle is subject.handle else connect(handle)
        try:
            for middle in MIDDLES:
                question = sandwich(middle)
                outcome = executor.execute(question.model, [question.inputs])
                if isinstance(outcome, Produced):
                    meters, right = outcome.meters, question.is_answered(outcome.outputs[0])
                    delegated, parts = meters.get("delegated", 0), meters.get("parts", 0)
                    yield Partition(handle.label, middle, delegated, parts, right)
        finally:
            executor.close()


def _variants(handle: Handle) -> Iterator[Handle]:
    yield handle
    others = [name for name in handle.manifest.variants if name != handle.at]
    for name in others if not handle.command else ():
        source = f"{handle.source.partition('@')[0]}@{name}"
        yield replace(handle, source=source, at=name, default=False)
