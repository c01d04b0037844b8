"""Write budgets into specs: what was measured and a tenth more; and say which of them rise."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from opconform.harness.costs import Cost
from opconform.harness.spec import OpSpec
from opconform.harness.spec_load import parse_spec
from opconform.harness.spec_parts import BUDGETS

Limits = Mapping[str, Mapping[str, int]]

_SECTION = re.compile(r"^(?:#[^\n]*budgets[^\n]*\n)?budgets:[^\n]*\n(?:(?:[ \t]+[^\n]*)?(?:\n|\Z))*", re.MULTILINE)
_COMMENT = "# Written by `opconform size --update`: measured budgets and a tenth more (docs/budgets.md).\n"
_BYTES_STEP = 16


def limit_for(name: str, measured: int) -> int:
    """Return the budget of a figure: a tenth more, bytes rounded up to 16, instructions to two significant digits."""
    grown = -(-measured * 11 // 10)
    step = 10 ** max(0, len(str(grown)) - 2) if name == "instructions" else _BYTES_STEP
    return -(-grown // step) * step


def renewed(old: Limits, costs: Iterable[Cost]) -> dict[str, dict[str, int]]:
    """Return the budgets of one op with those of the measured boards replaced; what was not measured stays."""
    result = {target: dict(limits) for target, limits in old.items()}
    for cost in costs:
        known = cost.figures.known()
        fresh = {name: limit_for(name, known[name]) for name in BUDGETS if name in known}
        result[cost.target] = {**result.get(cost.target, {}), **fresh}
    return result


def raised(op: str, old: Limits, new: Limits) -> list[str]:
    """Return a line for each budget that is higher than before; a first budget raises nothing."""
    return [
        f"{op} {target}: budget of {name} raised from {old[target][name]} to {limit}"
        for target, limits in new.items()
        for name, limit in limits.items()
        if limit > old.get(target, {}).get(name, limit)
    ]


def with_budgets(text: str, limits: Limits) -> str:
    """Return a spec's text with its section `budgets` replaced, at the end; everything else stays as it is."""
    rest = _SECTION.sub("", text).rstrip("\n") + "\n"
    lines = [f"  {target}: {{{', '.join(f'{k}: {v}' for k, v in limits[target].items())}}}\n" for target in limits]
    return rest + "\n" + _COMMENT + "budgets:\n" + "".join(lines)


def write_budgets(spec: OpSpec, limits: Limits, folder: Path) -> bool:
    """Rewrite the budgets of a spec's file; False where nothing changes. Raises SpecError and OSError."""
    path = folder / f"{spec.op.lower()}.yaml"
    old = path.read_text(encoding="utf-8")
    new = with_budgets(old, {target: limits[target] for target in sorted(limits)})
    parse_spec(new, str(path))  # a file that cannot be read again must not replace one that can
    if new == old:
        return False
    fresh = path.with_suffix(".new")
    fresh.write_text(new, encoding="utf-8")
    fresh.replace(path)
    return True
