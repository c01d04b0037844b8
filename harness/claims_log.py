"""Findings as JSON lines, so that environments that cannot be together fill one table (docs/claims.md)."""

from __future__ import annotations

import json
import platform
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from opconform import __version__
from opconform.harness.claim_values import CLAIMS
from opconform.harness.claims import Evidence, Finding
from opconform.harness.runlog import LogError

FORMAT = 1
_TEXTS = ("runtime", "version", "measured", "source", "why")


def as_line(finding: Finding) -> dict[str, Any]:
    """Return a finding as the object that stands in logs."""
    evidence = finding.evidence
    return {
        "kind": "claim",
        "runtime": finding.runtime,
        "version": finding.version,
        "claim": evidence.claim,
        "claimed": finding.claimed,
        "value": evidence.value,
        "verdict": finding.verdict,
        "measured": evidence.measured,
        "source": evidence.source,
        "why": evidence.why,
    }


def write(path: Path, findings: Iterable[Finding]) -> None:
    """Write a header and a line per finding. Raises OSError."""
    header = {"kind": "claims", "format": FORMAT, "version": __version__, "machine": platform.machine()}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(line) + "\n" for line in (header, *map(as_line, findings))), encoding="utf-8")


def read(path: Path) -> list[Finding]:
    """Read findings; the verdict is made anew. Raises LogError with file:line and what is wrong."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise LogError(f"{path}: cannot be read as a log of claims: {getattr(error, 'strerror', error)}") from error
    found = [_parsed(path, number, text) for number, text in enumerate(lines, 1)]
    if not found or (found[0].get("kind"), found[0].get("format")) != ("claims", FORMAT):
        raise LogError(f"{path}:1: is no log of claims; write one with opconform claims --log")
    return [_finding(path, number, line) for number, line in enumerate(found[1:], 2)]


def merged(logs: Sequence[Sequence[Finding]]) -> list[Finding]:
    """Return the findings of several logs in their order; of the same claim of a runtime the last one counts."""
    found: dict[tuple[str, str], Finding] = {}
    for finding in (finding for log in logs for finding in log):
        found[finding.runtime, finding.evidence.claim] = finding
    return list(found.values())


def _parsed(path: Path, number: int, text: str) -> Mapping[str, Any]:
    try:
        line = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise LogError(f"{path}:{number}: is no JSON; the log is damaged") from error
    if not isinstance(line, dict):
        raise LogError(f"{path}:{number}: is no JSON object; the log is damaged")
    return line


def _finding(path: Path, number: int, line: Mapping[str, Any]) -> Finding:
    wrong = _flaw(line)
    if wrong:
        raise LogError(f"{path}:{number}: {wrong}; the log is damaged, or of another version")
    evidence = Evidence(line["claim"], line["value"], line["measured"], line["source"], line["why"])
    return Finding(line["runtime"], line["version"], line["claimed"], evidence)


def _flaw(line: Mapping[str, Any]) -> str:
    """Return what is wrong with a line of a claim, or ""."""
    if line.get("kind") != "claim" or str(line.get("claim")) not in CLAIMS:
        return f"kind {line.get('kind')!r} and claim {line.get('claim')!r}, wanted is a claim of {' '.join(CLAIMS)}"
    texts = [key for key in _TEXTS if not isinstance(line.get(key), str)]
    if texts:
        return f"{' '.join(texts)} must be text"
    kinds = (bool, type(None)) if CLAIMS[line["claim"]] is bool else (int, type(None))
    wrong = [key for key in ("claimed", "value") if key not in line or type(line[key]) not in kinds]
    return f"{' '.join(wrong)} must be {'true, false' if bool in kinds else 'a number'} or null" if wrong else ""
