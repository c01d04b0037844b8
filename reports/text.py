"""Numbers, dates and arrays as people read them. Every function returns plain text."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from opconform.harness.fields import SPECIAL

MINUS = "\N{MINUS SIGN}"
NARROW = "\N{NARROW NO-BREAK SPACE}"


def count(value: float | None) -> str:
    """1234567 -> "1,234,567"; None, which is not measured, -> a dash."""
    if value is None:
        return "–"
    whole = float(value).is_integer()
    return f"{int(value):,}".replace("-", MINUS) if whole else figure(value)


def figure(value: Any) -> str:
    """Three significant digits: 0.000123456 -> "0.000123", 1e-9 -> "1e-09"; infinities and NaN by name."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "∞" if value > 0 else f"{MINUS}∞"
    text = f"{value:,}" if float(value).is_integer() and abs(value) < 1e7 else f"{value:.3g}"
    return text.removesuffix(".0").replace("-", MINUS, 1) if value < 0 else text.removesuffix(".0")


def element(value: Any) -> str:
    """One number of a tensor with every digit that it has, as one would type it again."""
    if isinstance(value, float):
        return "NaN" if math.isnan(value) else repr(value).replace("inf", "Infinity")
    return str(value).lower() if isinstance(value, bool) else str(value)


def share(value: float) -> str:
    """0.434 -> "43 %", 3.2 -> "320 %"; from ten times on "×12"."""
    if math.isinf(value):
        return "∞"
    if value >= 10:
        return f"×{figure(float(f'{value:.3g}'))}"
    if 0 < value < 0.01:
        return f"<{NARROW}1{NARROW}%"
    return f"{value * 100:.0f}{NARROW}%"


def slack(error: float, limit: float) -> str:
    """Return how often the worst error fits into its limit: "×2.3"."""
    if error == 0:
        return "no error"
    if math.isnan(error) or limit <= 0:
        return "none"
    return f"×{limit / error:.3g}"


def percent(part: float, whole: float) -> str:
    """Return part of whole, so that neither a trace reads as nothing nor a gap as all."""
    if whole <= 0:
        return "–"
    value = 100 * part / whole
    if 0 < value < 0.1:
        return f"<{NARROW}0.1{NARROW}%"
    if 99.9 < value < 100:
        return f">{NARROW}99.9{NARROW}%"
    return f"{value:.1f}".removesuffix(".0") + f"{NARROW}%"


def change(new: float | None, old: float | None) -> str:
    """Return how a figure differs from its baseline: "+120 (+3.4 %)", "unchanged", or "new"."""
    if new is None:
        return ""
    if old is None:
        return "new"
    if new == old:
        return "unchanged"
    sign = "+" if new > old else MINUS
    relative = f" ({sign}{abs(new - old) / abs(old) * 100:.1f}{NARROW}%)" if old else ""
    return f"{sign}{count(abs(new - old))}{relative}"


def duration(seconds: float) -> str:
    """0.0123 -> "12 ms", 4.21 -> "4.2 s", 192 -> "3 min 12 s"."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def date(iso: str) -> str:
    """2026-11-22T10:02:00Z -> "22 November 2026, 10:02 UTC"; what is no date comes back as it is."""
    try:
        moment = datetime.fromisoformat(iso)
    except ValueError:
        return iso
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return f"{aware.astimezone(UTC):%-d %B %Y, %H:%M} UTC"


def plural(number: int, one: str, many: str = "") -> str:
    """1, case -> "1 case"; 1200, case -> "1,200 cases"."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def slug(*parts: str) -> str:
    """Return a name that is safe as file name and as fragment of an address."""
    return re.sub(r"[^A-Za-z0-9_.]+", "-", "-".join(part for part in parts if part)).strip("-.") or "x"


def value(anything: Any) -> str:
    """Return an attribute or a shape in one line: [1, 3, 3] -> "[1, 3, 3]", {"x": 1} -> "x 1"."""
    match anything:
        case None:
            return ""
        case bool() | int() | float():
            return element(anything)
        case Mapping():
            return ", ".join(f"{key} {value(one)}" for key, one in anything.items())
        case list() | tuple():
            return "[" + ", ".join(value(one) for one in anything) + "]"
        case _:
            return str(anything)


def flat(nested: Sequence[Any]) -> tuple[Any, ...]:
    """Return the numbers of nested lists in row-major order."""
    items = ((flat(item) if isinstance(item, list | tuple) else (SPECIAL.get(item, item),)) for item in nested)
    return tuple(number for item in items for number in item)


def single(anything: Any) -> Any:
    """Return the one item of a list of one: [0.5] -> 0.5; anything else as it is."""
    return anything[0] if isinstance(anything, list | tuple) and len(anything) == 1 else anything


def array(nested: Sequence[Any], shape: Sequence[int]) -> str:
    """Return a tensor as nested brackets, or as one list with its length where the log cut it off."""
    numbers = [element(number) for number in flat(nested)]
    if len(numbers) != math.prod(shape):
        return f"[{', '.join(numbers)}, … {math.prod(shape) - len(numbers):,} more]" if numbers else "not in the log"
    if not shape:
        return numbers[0]
    width = max((len(number) for number in numbers), default=0)
    return _brackets([number.rjust(width) for number in numbers], tuple(shape), 0)


def _brackets(numbers: Sequence[str], shape: tuple[int, ...], depth: int) -> str:
    if len(shape) == 1:
        return f"[{', '.join(numbers)}]"
    step = len(numbers) // shape[0] if shape[0] else 0
    parts = (numbers[i * step : (i + 1) * step] for i in range(shape[0]))
    inner = (_brackets(part, shape[1:], depth + 1) for part in parts)
    between = ",\n" + " " * (depth + 1) if math.prod(shape[1:]) > 1 else ", "
    return "[" + between.join(inner) + "]"
