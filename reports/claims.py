"""Claims and what was found of them, as a table: text cells, Markdown, HTML, and a block of a README."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from opconform import __version__
from opconform.harness.claim_values import CLAIMS, Value, show_size
from opconform.harness.claims import FAILS, HOLDS, UNCLAIMED, UNMEASURED, Finding
from opconform.harness.claims_promised import PROMISED, SOURCE, SYSTEMS, promised
from opconform.reports.html import environment

#: Between these lines of a README stands the table; `opconform claims --readme` renews it.
BEGIN, END = "<!-- claims: begin, written by opconform claims --readme -->", "<!-- claims: end -->"
#: The status by which the style of the reports colours a verdict.
_STATUS: Mapping[str, str] = {HOLDS: "pass", FAILS: "fail", UNCLAIMED: "unsupported", UNMEASURED: "known"}


@dataclass(frozen=True, slots=True)
class Cell:
    """What stands in one place of the table: what is claimed, then what was found."""

    claimed: str
    found: str
    verdict: str

    @property
    def text(self) -> str:
        """Return both, e.g. "at least 140: 151"; where claim and finding are one word, that word."""
        return f"{self.claimed}: {self.found}" if self.found else self.claimed

    @property
    def status(self) -> str:
        """Return the status by which the style of the reports colours it."""
        return _STATUS[self.verdict]


@dataclass(frozen=True, slots=True)
class Row:
    """One claim: what is promised of the three systems, and a cell per runtime (None: not examined)."""

    claim: str
    promised: tuple[str, ...]
    cells: tuple[Cell | None, ...]


def runtimes(findings: Sequence[Finding]) -> tuple[str, ...]:
    """Return the runtimes that were examined, in the order of the findings."""
    return tuple(dict.fromkeys(finding.runtime for finding in findings))


def rows(findings: Sequence[Finding]) -> list[Row]:
    """Return a row per claim that was examined, in the order of CLAIMS."""
    found = {(finding.evidence.claim, finding.runtime): finding for finding in findings}
    examined = [claim for claim in CLAIMS if any(key[0] == claim for key in found)]
    columns = runtimes(findings)
    return [Row(claim, PROMISED[claim], tuple(_cell(found.get((claim, one))) for one in columns)) for claim in examined]


def _cell(finding: Finding | None) -> Cell | None:
    if finding is None:
        return None
    return Cell(claimed_words(finding.evidence.claim, finding.claimed), _found(finding), finding.verdict)


def _found(finding: Finding) -> str:
    """Return what was found in as many words as the claim leaves open: of a size also what was counted."""
    if finding.verdict == UNMEASURED:
        return UNMEASURED
    evidence = finding.evidence
    measured = evidence.measured if CLAIMS[evidence.claim] is str else show(evidence.claim, evidence.value)
    if CLAIMS[evidence.claim] is not bool:
        return f"{measured}, {FAILS}" if finding.verdict == FAILS else measured
    if finding.verdict == UNCLAIMED:
        return measured if finding.claimed is None else "yet it can" if finding.understated else ""
    return FAILS if finding.verdict == FAILS else ""


def claimed_words(claim: str, claimed: Value | None) -> str:
    """Return what a manifest claims: "yes", "no", "at least 140", "at most 100 KB", "nothing"."""
    if claimed is None:
        return "nothing claimed"
    kind = CLAIMS[claim]
    if kind is bool:
        return show(claim, claimed)
    return f"{'at least' if kind is int else 'at most'} {show(claim, claimed)}"


def show(claim: str, value: Value | None) -> str:
    """Return a value as its claim is measured: "yes", "151", "104 KB"; "" for one that is not known."""
    if value is None:
        return ""
    kind = CLAIMS[claim]
    return ("yes" if value else "no") if kind is bool else f"{value:,}" if kind is int else show_size(value)


def title(claim: str) -> str:
    """Return a claim in words: "memory mapped models"."""
    return claim.replace("_", " ")


def markdown(findings: Sequence[Finding]) -> str:
    """Return the table, and below it the evidence, as Markdown."""
    lines = [*_markdown_table(findings), "", *_markdown_evidence(findings)]
    return "\n".join(lines) + "\n"


def _markdown_table(findings: Sequence[Finding]) -> list[str]:
    names = runtimes(findings)
    head = ["claim", *(f"`{name}`" for name in names), f"promised: {' / '.join(SYSTEMS)}"]
    body = [
        [title(row.claim), *(cell.text if cell else "" for cell in row.cells), " / ".join(row.promised)]
        for row in rows(findings)
    ]
    return [_pipes(head), _pipes(["---"] * len(head)), *(_pipes(line) for line in body)]


def _markdown_evidence(findings: Sequence[Finding]) -> list[str]:
    head = ["runtime", "claim", "verdict", "measured", "source", ""]
    body = [
        [f"`{f.runtime}`", title(f.evidence.claim), f.verdict, f.evidence.measured, f.evidence.source, f.evidence.why]
        for f in findings
    ]
    return [_pipes(head), _pipes(["---"] * len(head)), *(_pipes(line) for line in body)]


def _pipes(cells: Sequence[str]) -> str:
    return "| " + " | ".join(" ".join(cell.replace("|", "\\|").split()) for cell in cells) + " |"


def html(findings: Sequence[Finding], index: str = "") -> str:
    """Return the table and the evidence as a page in the style of the run report, whose `index` it links, if any."""
    template = environment().get_template("claims.html")
    return template.render(
        version=__version__, columns=runtimes(findings), rows=rows(findings), findings=findings, systems=SYSTEMS,
        said_by=SOURCE,
        status=_STATUS, title=title, promised=promised, index=index,
        verdicts={verdict: sum(f.verdict == verdict for f in findings) for verdict in _STATUS},
        understated=[finding for finding in findings if finding.understated],
    )  # fmt: skip


def with_block(readme: str, findings: Sequence[Finding]) -> str:
    """Return a README with the table between BEGIN and END renewed. Raises ValueError where they are not there."""
    before, begun, rest = readme.partition(BEGIN)
    _, ended, after = rest.partition(END)
    if not begun or not ended:
        raise ValueError(f"no place for the table; put a line {BEGIN} and a line {END} where it shall stand")
    return "\n".join((before + BEGIN, *_markdown_table(findings), END + after))
