"""Claims of a manifest against what is found: evidence of one claim, and what both together mean.

A check asks a runtime through the harness and returns Evidence; it never reads the manifest's own word. The checks
stand in claims_<what>.py and are listed in claims_checks.py; docs/claims.md says what each measures.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from opconform.harness.claim_values import CLAIMS, Value, claimed_values
from opconform.harness.isolate import Executor
from opconform.harness.registry import Handle
from opconform.harness.runtime import RuntimeFailure, Unavailable

HOLDS, FAILS, UNCLAIMED, UNMEASURED = "holds", "does not hold", "not claimed", "not measurable here"


class NotMeasurable(Exception):
    """A check cannot be made on this machine; the message says in one line what is missing."""


@dataclass(frozen=True, slots=True)
class Subject:
    """The runtime that is checked.

    `connect` starts a fresh executor each time (close it); `log` is the run log that `--run` named, if any.
    """

    handle: Handle
    connect: Callable[[], Executor]
    log: Path | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """What one check found.

    `value` is what the claim is compared with: whether the runtime can do it, the number of operators, or bytes; None
    where it cannot be measured here, and `why` then says in one line why. `measured` says the same for a cell of the
    table, in a few words and with units; `source` names where it comes from: files, symbols, the model, the command.
    `why` is also what went wrong where an ability is missing.
    """

    claim: str
    value: Value | None
    measured: str
    source: str
    why: str = ""


Check = Callable[[Subject], Evidence]


@dataclass(frozen=True, slots=True)
class Finding:
    """A cell of the table: what a runtime of some version claims (None: nothing), and the evidence."""

    runtime: str
    version: str
    claimed: Value | None
    evidence: Evidence

    @property
    def verdict(self) -> str:
        """Return one of HOLDS, FAILS, UNCLAIMED and UNMEASURED."""
        return judge(self.evidence.claim, self.claimed, self.evidence.value)

    @property
    def understated(self) -> bool:
        """Tell whether the runtime can do what its manifest says it cannot."""
        return self.claimed is False and self.evidence.value is True


def judge(claim: str, claimed: Value | None, measured: Value | None) -> str:
    """Compare what is claimed with what is measured: an ability must be there, a count reached, a size kept."""
    if measured is None:
        return UNMEASURED
    if claimed is None or claimed is False:
        return UNCLAIMED
    kind = CLAIMS[claim]
    if kind is bool:
        return HOLDS if measured else FAILS
    return HOLDS if (measured >= claimed if kind is int else measured <= claimed) else FAILS


def unmeasured(claim: str, why: str, source: str = "") -> Evidence:
    """Return the evidence of a claim that cannot be measured here."""
    return Evidence(claim, None, "-", source, why)


def examine(subject: Subject, check: Check, claim: str) -> Finding:
    """Make one check of a runtime; what it cannot measure is evidence too, and so is a process that dies of it."""
    try:
        evidence = check(subject) if not subject.handle.unavailable else unmeasured(claim, subject.handle.unavailable)
    except (NotMeasurable, Unavailable) as error:
        evidence = unmeasured(claim, str(error))
    except RuntimeFailure as error:
        evidence = Evidence(claim, False if CLAIMS[claim] is bool else None, "failed", "", str(error))
    claimed = claimed_values(subject.handle.manifest.claims).get(claim)
    return Finding(subject.handle.label, subject.handle.manifest.version, claimed, evidence)
