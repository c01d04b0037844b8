"""The one way to a case: from a source of decisions, or from a case id."""

from __future__ import annotations

from collections.abc import Mapping

from opconform.harness.generate import codec
from opconform.harness.generate.cases import EXHAUSTIVE, FIRST_INVALID, Built, Kernel, Request, build_legal
from opconform.harness.generate.invalid import build_invalid
from opconform.harness.generate.source import Discard, Source
from opconform.harness.spec import OpSpec


def build(spec: OpSpec, row: str, source: Source, kernel: Kernel, request: Request | None = None) -> Built:
    """Build one case. Raises Discard where the draw breaks a clause of the spec."""
    request = request or Request()
    mode = source.fixed("mode", request.mode, 0, FIRST_INVALID + len(spec.invalid) - 1)
    if mode >= FIRST_INVALID:
        return build_invalid(spec, row, source, kernel, request, spec.invalid[mode - FIRST_INVALID])
    return build_legal(spec, row, source, kernel, request, exhaustive=mode == EXHAUSTIVE)


def rebuild(case_id: str, specs: Mapping[str, OpSpec], kernels: Mapping[str, Kernel]) -> Built:
    """Build the case of an id; BadCaseId where the id, its op or its row is unknown."""
    op, row, token = codec.split(case_id)
    if op not in specs:
        raise codec.BadCaseId(f"case {case_id}: unknown op {op}; known: {', '.join(specs)}")
    spec = specs[op]
    if row not in spec.types:
        raise codec.BadCaseId(f"case {case_id}: {op} has no row {row}; it has: {', '.join(spec.rows)}")
    try:
        return build(spec, row, codec.decode(spec, row, token), kernels[op])
    except Discard as error:
        raise codec.BadCaseId(f"case {case_id}: no legal case has this id (clause {error.label} refuses it)") from error
