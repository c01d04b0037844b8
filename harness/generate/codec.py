"""Case ids: OP/row/token. The token is the recorded choices as one mixed-radix number, and a check.

The radices need not be stored: rebuilding the case asks for the choices in the same
order with the same bounds. The last two characters guard against typing errors and
against a spec whose meaning has changed since the id was written; they are others for
a large case, whose sizes are decided otherwise.
"""

from __future__ import annotations

import zlib
from functools import lru_cache

from opconform.harness.errors import InputError
from opconform.harness.generate.source import Source
from opconform.harness.spec import OpSpec

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's: no i, l, o, u


class BadCaseId(InputError, ValueError):
    """A case id that cannot be read; the message says what is wrong and what an id looks like."""


@lru_cache(maxsize=256)
def fingerprint(spec: OpSpec, row: str) -> str:
    """Return a text of everything that decides how choices become a case of this row."""
    slots = [(s.name, _shape(s), s.constant, s.optional, s.variable, _text(s.value), _text(s.repeat), s.dynamic, _text(s.low), _text(s.high)) for s in (*spec.inputs, *spec.outputs)]  # fmt: skip  # noqa: E501
    orders: list[tuple[object, ...]] = [(s.name, s.order) for s in spec.inputs if s.order]
    orders += [(s.name, _text(s.only), _text(s.absent), s.intermediate) for s in (*spec.inputs, *spec.outputs) if s.only or s.absent or s.intermediate]  # fmt: skip  # noqa: E501
    orders += [(s.name, _text(s.sparse)) for s in spec.inputs if s.sparse]
    attributes = [(a.name, a.kind, a.choices, a.low, a.high, _text(a.value)) for a in spec.attributes]
    draws = [(d.name, d.kind, [(k, _text(v)) for k, v in d.args.items()], d.choices) for d in spec.domain]
    values = [(k, _text(low), _text(high)) for k, (low, high) in spec.values.items()]
    rules = [(n, q.kind, q.axis, _text(q.scale), _text(q.zero_point), _text(q.low), _text(q.high), q.same_as, q.range) for n, q in spec.quantization.get(row, {}).items()]  # fmt: skip  # noqa: E501
    invalid = [(i.clause.label, i.clause.text) for i in spec.invalid if i.clause.applies(row)]
    derive = [(name, rule.text) for name, rule in spec.derive.items()]
    parts = (slots, attributes, draws, values, spec.specials, spec.types[row], rules, invalid, derive, spec.exhaustive)
    return repr((*parts, orders) if orders else parts)


def _text(expression: object) -> str:
    return str(getattr(expression, "text", ""))


def _shape(slot: object) -> tuple[str, ...]:
    rule = slot.shape  # type: ignore[attr-defined]
    return (_text(rule.whole), *(_text(part) for part in rule.parts))


def encode(spec: OpSpec, row: str, source: Source) -> str:
    """Return the id of the case that the choices of this source have built."""
    number = 0
    for choice, size in zip(reversed(source.choices), reversed(source.sizes), strict=True):
        number = number * size + choice
    token = _digits(number)
    return f"{spec.op}/{row}/{token}{_check(spec, row, token, source.large)}"


def _digits(number: int) -> str:
    digits = ""
    while number:
        number, digit = divmod(number, 32)
        digits += ALPHABET[digit]
    return digits or "0"


def _check(spec: OpSpec, row: str, token: str, large: bool) -> str:
    sizes = f"/large {[(draw.name, _text(draw.large)) for draw in spec.domain if draw.large]}" if large else ""
    crc = zlib.crc32(f"{spec.op}/{row}/{token}/{fingerprint(spec, row)}{sizes}".encode())
    return ALPHABET[crc % 32] + ALPHABET[crc // 32 % 32]


def split(case_id: str) -> tuple[str, str, str]:
    """Return op, row and token of an id; BadCaseId where it has another form."""
    parts = case_id.strip().split("/")
    if len(parts) != 3 or not all(parts) or any(c not in ALPHABET for c in parts[2]) or len(parts[2]) < 3:
        raise BadCaseId(
            f"'{case_id}' is no case id; one looks like CONV_2D/int8/7f3k2q (copy it from a report or a log)"
        )
    return parts[0], parts[1], parts[2]


def decode(spec: OpSpec, row: str, token: str) -> Source:
    """Return the source that rebuilds the case of a token; BadCaseId where the check does not fit."""
    digits, check = token[:-2], token[-2:]
    large = _check(spec, row, digits, True) == check
    if not large and _check(spec, row, digits, False) != check:
        raise BadCaseId(
            f"case {spec.op}/{row}/{token}: the check '{check}' does not fit; the id is mistyped, "
            f"or {spec.file} has changed since it was made (check out that version to replay it)"
        )
    number = 0
    for digit in reversed(digits):
        number = number * 32 + ALPHABET.index(digit)
    return _mixed_radix(number, large)


def _mixed_radix(number: int, large: bool) -> Source:
    rest = [number]

    def pick(low: int, high: int) -> int:
        rest[0], offset = divmod(rest[0], high - low + 1)
        return low + offset

    return Source(pick, forced=False, large=large)
