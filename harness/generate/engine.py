"""Which cases a tier runs for a row: every value exhausted, pairs covered, hypothesis, clauses broken."""

from __future__ import annotations

import math
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import islice

from opconform.harness.generate import structure
from opconform.harness.generate.build import build
from opconform.harness.generate.cases import (
    EXHAUSTIVE,
    FIRST_INVALID,
    MOST_VECTORS,
    Built,
    Kernel,
    Request,
    classes_of,
    countable,
    plans,
)
from opconform.harness.generate.source import Discard, Source, seeded
from opconform.harness.spec import OpSpec

#: Draws tried before a planned case is given up (a plan may contradict a require clause).
ATTEMPTS = 40
#: What hypothesis draws for a case: the longest one known takes 42 decisions of two bytes, a few wide ones take four.
_BYTES = 96
#: Strings in one example of hypothesis, which holds 8192 bytes at most and looks askance at half of that.
MOST_TOGETHER = 40
#: Planned cases per round: ops with few attributes need as many shapes and values as others.
LEAST = 8
#: Vectors of a large case: its elements are many already.
LARGE_VECTORS = 2
#: Rows of an op that are as thorough as the tier asks. An op of more (one per pair of dtypes) has hypothesis draw less
#: for each, down to this part: its rows share one domain.
MOST_ROWS, LEAST_PART = 24, 6


@dataclass(frozen=True, slots=True)
class Tier:
    """How much a run does per row.

    `floor` is the least number of vectors judged per row and runtime, `exhaustive` how many vectors of all values:
    MOST_VECTORS stands for every one.
    """

    name: str
    rounds: int  # times the pairwise rows are gone through
    random: int  # structures drawn by hypothesis
    vectors: int  # value vectors per opened model
    invalid: int  # ways to break each invalid clause
    laws: int  # cases that each law is tried on
    floor: int
    large: int = 2  # cases with long or with many axes, which vector loops, unrolled ones and carries need
    exhaustive: int = MOST_VECTORS


TIERS = {
    "smoke": Tier("smoke", rounds=1, random=8, vectors=4, invalid=1, laws=2, floor=24),
    "pr": Tier("pr", rounds=3, random=60, vectors=6, invalid=4, laws=8, floor=200, large=4),
    "nightly": Tier("nightly", rounds=10, random=1000, vectors=8, invalid=12, laws=60, floor=3000, large=40),
}


def sparing(spec: OpSpec, row: str, tier: Tier) -> Tier:
    """Return a tier with as few vectors per case as its floor allows: the same structures, and each value class.

    A law is tried on half as many cases: its derived cases are invocations, too.
    """
    planned = max(len(plans(spec, row)), LEAST) * tier.rounds + _draws(spec, tier)
    vectors = min(math.ceil(tier.floor / planned), tier.vectors)
    return replace(tier, vectors=vectors, exhaustive=vectors, laws=max(1, tier.laws // 2))


def cases(spec: OpSpec, row: str, kernel: Kernel, tier: Tier, seed_: int) -> Iterator[Built]:
    """Yield the cases of a row for a tier, without repeats; the same for the same arguments, always."""
    known: set[str] = set()
    for built in _all(spec, row, kernel, tier, seed_):
        if built.case.id not in known:
            known.add(built.case.id)
            yield built


def first_case(spec: OpSpec, row: str, kernel: Kernel, seed_: int) -> Built | None:
    """Return a legal case with one vector, by which to see whether a row runs at all; None where none can be drawn."""
    tier = Tier("one case", rounds=1, random=0, vectors=1, invalid=0, laws=0, floor=1)
    return next(_covering(spec, row, kernel, tier, seed_), None)


def _all(spec: OpSpec, row: str, kernel: Kernel, tier: Tier, seed_: int) -> Iterator[Built]:
    yield from _exhaustive(spec, row, kernel, tier, seed_)
    yield from _covering(spec, row, kernel, tier, seed_)
    yield from drawn_by_hypothesis(spec, row, kernel, tier, seed_)
    yield from large_cases(spec, row, kernel, tier.large, seed_)
    yield from _invalid(spec, row, kernel, tier, seed_)


def _stream(spec: OpSpec, row: str, seed_: int, *where: int) -> list[int]:
    return [seed_, zlib.crc32(f"{spec.op}/{row}".encode()), *where]


def attempt(
    spec: OpSpec, row: str, kernel: Kernel, request: Request, stream: list[int], least: int = 0
) -> Built | None:
    """Build one case from seeded draws; None where every attempt was discarded.

    With `least` it is a large case, of which one tensor has so many elements.
    """
    for number in range(ATTEMPTS):
        try:
            built = build(spec, row, seeded([*stream, number], least > 0), kernel, request)
        except Discard:
            continue
        if least == 0 or _most_elements(built) >= least:
            return built
    return None


def _most_elements(built: Built) -> int:
    tensors = [*(slot.tensor for slot in built.case.inputs), *built.case.outputs]
    return max((math.prod(tensor.shape) for tensor in tensors), default=0)


def _exhaustive(spec: OpSpec, row: str, kernel: Kernel, tier: Tier, seed_: int) -> Iterator[Built]:
    """Yield all values once; those of 8 bits once more where results lie on halves, with the first of all plans.

    Only there do rounding families differ on sums, and an activation would cut the halves below zero away.
    """
    dtypes = [spec.types[row].get(name, "none") for name in spec.exhaustive]  # a row may lack the slot
    if not countable(dtypes):
        return
    requests = [Request(EXHAUSTIVE, vectors=tier.exhaustive)]
    if "int16" not in dtypes and "ties" in classes_of(spec, row):
        plan = 0 if plans(spec, row) else None
        requests.append(Request(EXHAUSTIVE, plan, tier.exhaustive, "ties"))
    for request in requests:
        built = attempt(spec, row, kernel, request, _stream(spec, row, seed_, 0))
        if built is not None:
            yield built


def _covering(spec: OpSpec, row: str, kernel: Kernel, tier: Tier, seed_: int) -> Iterator[Built]:
    classes = classes_of(spec, row)
    rows = plans(spec, row)
    for number in range(max(len(rows), LEAST) * tier.rounds):
        plan = number % len(rows) if rows else None
        # Shifted by one after each round of classes, or four activations would each meet one class only.
        value_class = classes[(number - number // len(classes)) % len(classes)]
        request = Request(plan=plan, vectors=tier.vectors, value_class=value_class)
        built = attempt(spec, row, kernel, request, _stream(spec, row, seed_, 1, number))
        if built is not None:
            yield built


def large_cases(spec: OpSpec, row: str, kernel: Kernel, count: int, seed_: int) -> Iterator[Built]:
    """Yield cases with one tensor of structure.LARGE elements; none for an op whose sizes the spec settles.

    The first has special values where there are any, since vector loops treat them in their own way; then come sums
    that leave 16 bits.
    """
    known = classes_of(spec, row)
    classes = sorted(known, key=("specials", "saturating", *known).index)
    for number in range(count if structure.grows(spec) else 0):
        request = Request(vectors=LARGE_VECTORS, value_class=classes[number % len(classes)])
        stream = _stream(spec, row, seed_, 3, number)
        if (built := attempt(spec, row, kernel, request, stream, structure.LARGE[0])) is not None:
            yield built


def _invalid(spec: OpSpec, row: str, kernel: Kernel, tier: Tier, seed_: int) -> Iterator[Built]:
    for position, invalid in enumerate(spec.invalid):
        for number in range(tier.invalid if invalid.clause.applies(row) else 0):
            request = Request(FIRST_INVALID + position, vectors=1)
            built = attempt(spec, row, kernel, request, _stream(spec, row, seed_, 2, position, number))
            if built is not None:
                yield built


def _decisions(data: bytes) -> Source:
    """Return a source that takes two or four bytes for a decision, and the simplest one once they are used up."""
    rest = iter(data)

    def pick(low: int, high: int) -> int:
        size = high - low + 1
        word = bytes(islice(rest, 2 if size <= 1 << 16 else 4))
        return low + int.from_bytes(word, "little") % size

    return Source(pick)


@lru_cache(maxsize=2)
def _strings(number: int, seed_: int) -> tuple[bytes, ...]:
    """Return strings of bytes that hypothesis draws, many in one example: an example costs more than what is drawn."""
    # Imported here: it takes as long as all else together, and most processes draw nothing.
    from hypothesis import HealthCheck, Phase, given, seed, settings
    from hypothesis import strategies as st

    found: list[bytes] = []
    together = min(number, MOST_TOGETHER)

    @seed(seed_)
    @settings(
        max_examples=1 + -(-number // together),  # the first one is always of zeros
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.binary(min_size=together * _BYTES, max_size=together * _BYTES))
    def collect(data: bytes) -> None:
        found.extend(data[at : at + _BYTES] for at in range(0, len(data), _BYTES) if any(data))

    collect()
    return tuple(found[:number])


def _strings_of(spec: OpSpec, row: str, number: int, seed_: int) -> tuple[bytes, ...]:
    """Return `number` strings of a row: zeros, which make the simplest case, and its share of those of the op."""
    share = max(number - 1, 1)
    start = spec.rows.index(row) * share
    drawn = _strings(share * len(spec.rows), zlib.crc32(f"{seed_}/{spec.op}".encode()))
    return (bytes(_BYTES), *drawn[start : start + share])[:number]


def _draws(spec: OpSpec, tier: Tier) -> int:
    """Return how many structures hypothesis draws for a row."""
    return max(tier.random * MOST_ROWS // max(len(spec.rows), MOST_ROWS), tier.random // LEAST_PART)


def drawn_by_hypothesis(
    spec: OpSpec, row: str, kernel: Kernel, tier: Tier, seed_: int, discards: Counter[str] | None = None
) -> list[Built]:
    """Let hypothesis draw structures; `discards` counts what refused a draw, by clause.

    It draws strings of bytes, of which each decision takes a few. Drawn one by one, integers would cost more than
    the rest of a case, and now and then be constants that hypothesis finds in the source code of whatever modules
    are loaded: the same seed would not give the same cases everywhere.
    """
    found: list[Built] = []
    classes = classes_of(spec, row)
    for data in _strings_of(spec, row, _draws(spec, tier), seed_):
        request = Request(vectors=tier.vectors, value_class=classes[len(found) % len(classes)])
        try:
            found.append(build(spec, row, _decisions(data), kernel, request))
        except Discard as discard:  # not replaced: hypothesis would draw ten times as often to make up for it
            if discards is not None:
                discards[discard.label] += 1
    return found
