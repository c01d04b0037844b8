"""What the lines of a run add up to: the footer of its log, and the exit code."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from opconform.harness import coverage
from opconform.harness.generate.engine import Tier

Line = Mapping[str, Any]


@dataclass(slots=True)
class Totals:
    """What the footer says."""

    cases: int = 0
    lines: int = 0
    verdicts: Counter[str] = field(default_factory=Counter)
    unexpected: int = 0
    infra: int = 0
    judged: Counter[tuple[str, str, str]] = field(default_factory=Counter)  # (name@target, op, row)
    explained: set[tuple[str, str]] = field(default_factory=set)  # (name@target, where) of entries that matched
    coverage: list[Line] = field(default_factory=list)
    outdated: dict[str, str] = field(default_factory=dict)  # where -> why the example is no case any more
    models: Counter[str] = field(default_factory=Counter)  # verdict -> models on runtimes

    def add(self, line: Line) -> None:
        """Count one line."""
        self.lines += 1
        if line["kind"] == "cost" and line["verdict"] != "pass":
            self.verdicts[line["verdict"]] += 1
            self.unexpected += 1
            self.infra += line["verdict"] == "infra"
        if line["kind"] == "note" and "stale" in line:
            self.outdated[line["stale"]] = line["message"]
        if line["kind"] == "coverage":
            self.coverage.append(line)
        if line["kind"] in ("case", "model"):
            self.unexpected += line["expected"] is False
            self.infra += line["verdict"] == "infra" and line["expected"] is False
        if line["kind"] == "model":
            self.models[line["verdict"]] += 1
        if line["kind"] != "case":
            return
        self.verdicts[line["verdict"]] += int(line["cases"])
        self.cases += int(line["cases"])
        if "instead" not in line:  # a smaller case is judged in its place
            self.judged[f"{line['runtime']}@{line['target']}", line["op"], line["row"]] += int(line["cases"])
        if "expectation" in line:
            self.explained.add((f"{line['runtime']}@{line['target']}", line["expectation"]))


def footer_of(
    totals: Totals, stale: Sequence[str], thin: Sequence[str], tier: Tier, seated: bool, seconds: float
) -> tuple[Line, int]:
    """Return the footer and the exit code; `seated` tells whether any runtime ran."""
    code = 3 if totals.infra or not seated else 1 if totals.unexpected or stale or thin else 0
    footer = {
        "kind": "footer",
        "complete": True,
        "cases": totals.cases,
        "lines": totals.lines + 1,
        "verdicts": dict(sorted(totals.verdicts.items())),
        "models": dict(sorted(totals.models.items())),
        "unexpected": totals.unexpected,
        "stale": list(stale),
        "floor": tier.floor,
        "thin": list(thin),
        "coverage": coverage.summary(totals.coverage),
        "seconds": round(seconds, 3),
        "exit": code,
    }
    return footer, code
