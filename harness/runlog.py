"""Write the run log, and take an interrupted one up again."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

from opconform.harness.errors import InputError
from opconform.harness.loglines import fault

Line = Mapping[str, Any]
#: Kinds of the last line of a row, and of a model: what stands before one is whole.
LAST_OF_UNIT = ("coverage", "graph")
_ENCODER = json.JSONEncoder(separators=(",", ":"))


class LogError(InputError):
    """A log cannot be written or taken up; the message is one line that says what to do."""


class LogWriter:
    """Appends lines and flushes after every row of an op, so that what was measured is never lost."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._file: TextIO | None = None

    def start(self, kept: int = 0) -> None:
        """Open the file; of what an earlier run left there, the first `kept` bytes stay and are never written again."""
        if self._path is None:
            return
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._path.open("a" if kept else "w", encoding="utf-8")
            if kept:
                self._file.truncate(kept)
        except OSError as error:
            raise LogError(f"{self._path}: cannot be written: {error.strerror}; give another --log") from error

    def write(self, lines: Iterable[Line]) -> None:
        """Append lines; LogError where the disk is full."""
        if self._file is None:
            return
        try:
            for line in lines:
                self._file.write(_ENCODER.encode(line) + "\n")
            self._file.flush()
        except OSError as error:
            self._abandon()
            hint = "the log ends there and says that it is incomplete; free space and use --resume"
            raise LogError(f"{self._path}: {error.strerror}; {hint}") from error

    def _abandon(self) -> None:
        """Close without writing what cannot be written."""
        if self._file is not None:
            descriptor = self._file.fileno()
            self._file.flush = lambda: None  # type: ignore[method-assign]
            os.close(os.dup(descriptor))
            self._file = None

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None


def taken_up(path: Path, header: Line) -> tuple[int, list[Line]]:
    """Return the whole rows of an interrupted log: how many bytes they take, and their lines parsed.

    Raises LogError where the log is complete, damaged, or of a run with other settings.
    """
    if path.exists() and not path.is_file():  # a device may be read without end
        raise LogError(f"{path}: cannot be resumed: it is no regular file; run without --resume")
    try:
        raw = path.read_bytes().splitlines(keepends=True)
    except OSError as error:
        raise LogError(f"{path}: cannot be resumed: {error.strerror}; run without --resume") from error
    lines = _parsed(path, raw)
    if not lines or lines[0].get("kind") != "header":
        raise LogError(f"{path}:1: is no run log (its first line is no header); run without --resume")
    for key in ("version", "seed", "tier", "specs", "runtimes", "selection"):
        if lines[0].get(key) != header.get(key):
            raise LogError(
                f"{path}:1: was made with {key} {lines[0].get(key)!r}, this run has {header.get(key)!r}; "
                "use the same settings, or run without --resume"
            )
    for number, line in enumerate(lines, 1):
        if wrong := fault(line):
            raise LogError(f"{path}:{number}: {wrong}; the log is damaged; run without --resume")
    if lines[-1].get("kind") == "footer":
        raise LogError(f"{path}: is complete already; nothing to resume")
    last = max((n for n, line in enumerate(lines) if line.get("kind") in LAST_OF_UNIT), default=-1)
    return sum(len(text) for text in raw[: last + 1]), lines[: last + 1]


def _parsed(path: Path, raw: Sequence[bytes]) -> list[Line]:
    lines: list[Line] = []
    for number, text in enumerate(raw, 1):
        if number == len(raw) and not text.endswith(b"\n"):
            break  # the line that was being written when the run ended
        try:
            line = json.loads(text)
        except (ValueError, RecursionError) as error:
            if number == 1:
                return []
            raise LogError(f"{path}:{number}: is no JSON; the log is damaged; run without --resume") from error
        if not isinstance(line, dict):
            raise LogError(f"{path}:{number}: is no JSON object; the log is damaged; run without --resume")
        lines.append(line)
    return lines
