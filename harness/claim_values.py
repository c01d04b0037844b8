"""The claims that a manifest makes: their names, their kinds, their values."""

from __future__ import annotations

import re
from collections.abc import Mapping

#: A claimed or measured value: an ability, a number of operators, or bytes.
Value = bool | int
#: What every `claims` block of a manifest declares, in the order of the table (docs/claims.md): what a runtime can
#: do (true or false), how many operators work at least, and how many bytes it takes at most.
CLAIMS: Mapping[str, type] = {
    "training": bool,
    "inference": bool,
    "ops": int,
    "native_quantization": bool,
    "os_independence": bool,
    "memory_mapped_models": bool,
    "delegation": bool,
    "distributed_compute": bool,
    "binary_size": str,
    "base_memory": str,
    "fixed_weights": bool,
    "fixed_topology": bool,
}
_UNITS = {"B": 1, "KB": 1024, "MB": 1024**2, "GB": 1024**3}
_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?(B|KB|MB|GB)")


def check_claims(claims: object) -> None:
    """Check that a manifest claims nothing, or says something allowed of every claim. Raises ValueError if not."""
    if not isinstance(claims, Mapping):
        raise ValueError(f"{type(claims).__name__}, a mapping is needed")
    unknown = [repr(claim) for claim in claims if claim not in CLAIMS]
    missing = [claim for claim in CLAIMS if claims and claim not in claims]
    if unknown or missing:
        found = [f"unknown {' '.join(unknown)}"] * bool(unknown) + [f"missing {' '.join(missing)}"] * bool(missing)
        raise ValueError(f"{', '.join(found)}; needed are {' '.join(CLAIMS)}, or no claims at all")
    for claim, value in claims.items():
        try:
            read_claim(claim, value)
        except ValueError as error:
            raise ValueError(f"{claim}: {error}") from error


def claimed_values(claims: Mapping[str, object]) -> dict[str, Value]:
    """Return the claims of a manifest with sizes in bytes. Raises ValueError for a value that is not allowed."""
    return {claim: read_claim(claim, value) for claim, value in claims.items()}


def read_claim(claim: str, value: object) -> Value:
    """Return a claimed value, a size in bytes. Raises ValueError with what is allowed."""
    kind = CLAIMS[claim]
    if kind is str:
        return parse_size(value)
    if not isinstance(value, bool if kind is bool else int) or (kind is int and (isinstance(value, bool) or value < 0)):
        raise ValueError(f"{value!r}, allowed is {'true or false' if kind is bool else 'a number of operators'}")
    return value


def parse_size(text: object) -> int:
    """Return bytes of "100 KB" (of 1024 bytes). Raises ValueError."""
    found = _SIZE.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        raise ValueError(f"{text!r} is no size; write a number and {', '.join(_UNITS)}, such as 100 KB")
    return round(float(found[1]) * _UNITS[found[2]])


def show_size(size: int) -> str:
    """Return bytes in the largest unit of which there is at least one: 106496 is 104 KB."""
    unit = next((unit for unit in reversed(tuple(_UNITS)) if size >= _UNITS[unit]), "B")
    number = size / _UNITS[unit]
    return f"{number:.0f} {unit}" if number >= 100 or unit == "B" else f"{number:.3g} {unit}"
