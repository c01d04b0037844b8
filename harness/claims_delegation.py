"""delegation: a graph of which a delegate runs some operators and the interpreter the others, with right results."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from opconform.harness.claims import Evidence, Subject
from opconform.harness.claims_models import LAYER, MIDDLES, chain
from opconform.harness.isolate import Executor, connect
from opconform.harness.model import Produced
from opconform.harness.registry import Handle

CLAIM = "delegation"
_SOURCE = "meters delegated and parts of the wire"


@dataclass(frozen=True, slots=True)
class Account:
    """What a variant said of operators in a row, how many a delegate ran in how many parts, and whether the answer was
    right."""

    ops: tuple[str, ...]
    delegated: int
    parts: int
    right: bool

    @property
    def is_partition(self) -> bool:
        """Tell whether the delegate got a part of the graph: not nothing, and not all of it."""
        return 0 < self.delegated < len(self.ops) and self.parts > 0

    def __str__(self) -> str:
        parts = f"{self.parts} part{'s' * (self.parts != 1)}"
        return f"{self.delegated} of {len(self.ops)} operators in {parts} of {' -> '.join(self.ops)}"


def check_delegation(subject: Subject) -> Evidence:
    """Run two layers with another operator between them on every variant, until a delegate takes a part of them.

    Every number is exact in float32, so an answer is right only if it is the one value that it can be. What is said of
    the layers alone and of the operator alone must add up to what is said of all three.
    """
    labels, whole = [], []
    for handle in _variants(subject.handle):
        executor = subject.connect() if handle is subject.handle else connect(handle)
        try:
            labels.append(handle.label)
            for middle in MIDDLES:
                found = _account(executor, (LAYER, middle, LAYER))
                whole += [found] if found else []
                if found and found.is_partition:
                    return _judged(handle.label, found, executor)
        finally:
            executor.close()
    every = next((one for one in whole if one.delegated), None)
    why = f"a delegate takes {every}, which is no partition" if every else "no variant delegates an operator"
    return Evidence(CLAIM, False, "none", f"{_SOURCE}: {', '.join(labels)}", why)


def _judged(label: str, whole: Account, executor: Executor) -> Evidence:
    layer, middle, _ = whole.ops
    pieces = [_account(executor, ops) for ops in ((layer, layer), (middle,))]
    known = [piece for piece in pieces if piece is not None]
    wrong = next((one for one in (whole, *known) if not one.right), None)
    why = ""
    if wrong:
        why = f"the answer is wrong with {wrong}"
    elif len(known) < len(pieces) or sum(piece.delegated for piece in known) != whole.delegated:
        why = f"what it says does not add up: {'; '.join(map(str, (whole, *known)))}"
    measured = f"{whole.delegated} of {len(whole.ops)} operators in {whole.parts} parts"
    return Evidence(CLAIM, not why, measured, f"{_SOURCE}: {label} delegates {whole}", why)


def _account(executor: Executor, ops: tuple[str, ...]) -> Account | None:
    """Run operators in a row; None where the runtime does not."""
    question = chain(*ops)
    outcome = executor.execute(question.model, [question.inputs])
    if not isinstance(outcome, Produced):
        return None
    meters, right = outcome.meters, question.is_answered(outcome.outputs[0])
    return Account(ops, meters.get("delegated", 0), meters.get("parts", 0), right)


def _variants(handle: Handle) -> Iterator[Handle]:
    """Yield a runtime as it was asked for, then in its other variants."""
    yield handle
    others = [name for name in handle.manifest.variants if name != handle.at]
    for name in others if not handle.command else ():
        source = f"{handle.source.partition('@')[0]}@{name}"
        yield replace(handle, source=source, at=name, default=False)
