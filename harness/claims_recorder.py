"""The worker of a Python runtime that is looked into: `python -m opconform.harness.claims_recorder FILE RUNTIME`.

It notes in FILE the path of every file that Python code opens (PEP 578), one a line: compiled kernels are among them.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TextIO

from opconform.harness import worker
from opconform.harness.runtime import Manifest, Session, Unsupported


class Idle:
    """A runtime that loads nothing: what its worker takes is Python, NumPy and the wire."""

    def __init__(self, at: str = "") -> None:
        self._at = at

    def describe(self) -> Manifest:
        """Return the name."""
        return Manifest(name="idle", rows=())

    def open(self, model: bytes) -> Session:
        """Refuse. Raises Unsupported always."""
        raise Unsupported("this runtime is there to be measured")


#: What names the idle runtime.
IDLE = f"{Path(__file__)}:{Idle.__name__}"


def _noting(file: TextIO) -> Callable[[str, tuple[object, ...]], None]:
    def note(event: str, arguments: tuple[object, ...]) -> None:
        if event == "open" and isinstance(arguments[0], str):
            file.write(arguments[0].replace("\n", " ") + "\n")

    return note


def main(arguments: Sequence[str]) -> int:
    """Serve the runtime until the input ends. Returns the exit status."""
    record, *rest = arguments
    file = os.fdopen(os.open(record, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "w", buffering=1, errors="replace")
    sys.addaudithook(_noting(file))
    return worker.main(rest)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
