"""Small changes of a source text, each a fault that somebody might write: what a mutant differs by."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

#: What stands between two spaces, and what it becomes. A comparison turned around is also a minimum for a maximum.
BINARY: Mapping[str, tuple[str, ...]] = {
    "+": ("-",),
    "-": ("+",),
    "*": ("+",),
    "/": ("*",),
    "%": ("*",),
    "<<": (">>",),
    ">>": ("<<",),
    "<": ("<=", ">"),
    "<=": ("<", ">="),
    ">": (">=", "<"),
    ">=": (">", "<="),
    "==": ("!=",),
    "!=": ("==",),
    "&&": ("||",),
    "||": ("&&",),
    "and": ("or",),
    "or": ("and",),
    "//": ("*",),
    "+=": ("-=", "="),
    "-=": ("+=",),
    "*=": ("+=",),
    "&": ("|",),
    "|": ("&",),
}
_BINARY = re.compile(r"(?<=[^ ] )(" + "|".join(sorted(map(re.escape, BINARY), key=len, reverse=True)) + r")(?= [^ ])")
_NUMBER = re.compile(r"(?<![\w.\[])(\d+)(U?L{0,2})(?![\w.])")
_EXTREME = re.compile(r"\b(U?INT\d+_|np\.|opc_|_)?(MIN|MAX|minimum|maximum|min|max)\b")
_SIGN = re.compile(r"(?:(?<=[(\[])|(?<=[=,?:] )|(?<=return ))-(?=[A-Za-z(])")
_BOUND = re.compile(r"(?<=< )([\w.>\[\]-]+)(?=; )")
_BLANKED = re.compile(
    # The index of a scale or zero point that counts only where there are several is asked for 0 elsewhere: any does.
    r"(?<=opc_scale\()\S+, \d+(?=\))|(?<=opc_zero_point\()\S+, \d+(?=\))|"
    r'/\*.*?\*/|//[^\n]*|"""(?:.|\n)*?"""|"(?:\\.|[^"\\\n])*"|^\s*#(?:include|define|if|endif|else|ifdef|ifndef)[^\n]*',
    re.DOTALL | re.MULTILINE,
)
_PYTHON_COMMENT = re.compile(
    r'"""(?:.|\n)*?"""|"(?:\\.|[^"\\\n])*"|#[^\n]*|^(?:from|import) [^\n]*|^\s*@[^\n]*', re.MULTILINE
)
_STATEMENT = re.compile(
    r"^ +(?!return|break|continue|case|default|goto|const |static |else)([\w*][^\n]*);$", re.MULTILINE
)
_SETS = re.compile(r"[^=!<>]=[^=]|^\w+\(|\)$|\+\+$")
_DECLARES = re.compile(r"^(?:u?int\d*(?:_t)?|float|double|bool|opc_\w+|size_t|char|pair)\s+\*?\w+")


@dataclass(frozen=True, slots=True)
class Edit:
    """Replace text[start:end], which stands on `line`, by `new`."""

    kind: str
    start: int
    end: int
    line: int
    new: str

    def apply(self, text: str) -> str:
        """Return the mutant's text."""
        return text[: self.start] + self.new + text[self.end :]

    def shown(self, text: str) -> str:
        """Return the changed line, before and after."""
        begin = text.rfind("\n", 0, self.start) + 1
        stop = text.find("\n", self.end)
        before, after = text[begin:stop], text[begin : self.start] + self.new + text[self.end : stop]
        return f"{before.strip()}  ->  {after.strip()}"


def blanked(text: str, python: bool) -> str:
    """Return the text with comments, strings and directives as spaces; every position stays."""
    pattern = _PYTHON_COMMENT if python else _BLANKED
    return pattern.sub(lambda found: re.sub(r"[^\n]", " ", found[0]), text)


def edits(text: str, python: bool = False) -> tuple[Edit, ...]:
    """Return every edit of a C or Python source, in the order of the text."""
    code = blanked(text, python)
    found = [*_binary(code), *_numbers(code), *_signs(code), *_extremes(code)]
    if not python:
        found += [*_bounds(code), *_removals(code)]
    return tuple(sorted(found, key=lambda edit: (edit.start, edit.kind, edit.new)))


def _edit(kind: str, code: str, start: int, end: int, new: str) -> Edit:
    return Edit(kind, start, end, code.count("\n", 0, start) + 1, new)


def _binary(code: str) -> Iterator[Edit]:
    for found in _BINARY.finditer(code):
        for new in BINARY[found[1]]:
            yield _edit("operator", code, *found.span(1), new)


def _numbers(code: str) -> Iterator[Edit]:
    for found in _NUMBER.finditer(code):
        value, suffix = int(found[1]), found[2]
        for other in (value + 1, value - 1):
            if other >= 0:
                yield _edit("constant", code, *found.span(), f"{other}{suffix}")


def _signs(code: str) -> Iterator[Edit]:
    for found in _SIGN.finditer(code):
        yield _edit("sign", code, *found.span(), "")


def _extremes(code: str) -> Iterator[Edit]:
    other = {"MIN": "MAX", "MAX": "MIN", "minimum": "maximum", "maximum": "minimum", "min": "max", "max": "min"}
    for found in _EXTREME.finditer(code):
        yield _edit("extreme", code, *found.span(2), other[found[2]])


def _bounds(code: str) -> Iterator[Edit]:
    for found in _BOUND.finditer(code):
        yield _edit("bound", code, *found.span(1), f"{found[1]} - 1")


def _removals(code: str) -> Iterator[Edit]:
    for found in _STATEMENT.finditer(code):
        statement = found[1]
        if _SETS.search(statement) and not _DECLARES.match(statement):
            yield _edit("removal", code, *found.span(1), "/* removed */ ")
