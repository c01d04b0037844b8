"""What the subcommands share: exit codes, consoles, errors as one line."""

from __future__ import annotations

import contextlib
import io
import os
import sys
import traceback
from collections.abc import Callable
from typing import Any, TextIO, cast

import typer
from rich.console import Console

from opconform.harness.errors import InfrastructureError, InputError

_STOPPED = (
    "interrupted; a log (--log) is kept and says that it is incomplete: run goes on with --resume, merge begins anew"
)
AS_EXPECTED, DEVIATIONS, BAD_INPUT, INFRASTRUCTURE, INTERRUPTED = 0, 1, 2, 3, 130

# Newer typers bring their own click, older ones use the package: only the class hierarchy is the same.
_UsageError: Any = next(c for c in typer.BadParameter.__mro__ if c.__name__ == "ClickException")


def guard(app: Callable[..., Any]) -> int:
    """Run a typer app; turn what a user can cause into one line and its exit code."""
    try:
        result = app(standalone_mode=False)
        if result == INTERRUPTED:  # some typers turn Ctrl-C into this answer, others into Abort
            return _say(_STOPPED, INTERRUPTED)
        return result if isinstance(result, int) else AS_EXPECTED
    except typer.Exit as error:
        return int(error.exit_code)
    except typer.Abort:
        return _say(_STOPPED, INTERRUPTED)
    except _UsageError as error:
        return _say(error.format_message(), BAD_INPUT)
    except InputError as error:
        return _say(str(error), BAD_INPUT)
    except InfrastructureError as error:
        return _say(str(error), INFRASTRUCTURE)
    except BrokenPipeError:
        # The reader of a list is gone (`| head`): nothing more to say, and no traceback either.
        _silence(sys.stdout)
        return AS_EXPECTED
    except OSError as error:
        # A file or folder that cannot be read or written; anything else that the system refuses is one line as well.
        where = f"{error.filename}: " if error.filename else ""
        return _say(f"{where}{error.strerror or error}; check the path, its rights and the space left", BAD_INPUT)
    except KeyboardInterrupt:
        return _say(_STOPPED, INTERRUPTED)
    except Exception as error:
        if os.environ.get("OPCONFORM_TRACEBACK"):
            raise
        return _say(f"{_defect(error)}; please report it, with what OPCONFORM_TRACEBACK=1 shows", INFRASTRUCTURE)


def _defect(error: Exception) -> str:
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"internal error: {type(error).__name__}: {error} ({os.path.basename(last.filename)}:{last.lineno})"


def _say(message: str, code: int) -> int:
    if not message:  # typer has printed the help already
        return code
    with contextlib.suppress(OSError):
        print("opconform: " + " ".join(message.split()), file=sys.stderr)
    return code


def cpus() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def console() -> Console:
    """Return a console on standard output (plain where it is no terminal) that outlives its reader."""
    out = sys.stdout if sys.stdout is not None else io.StringIO()  # None where it was closed: `>&-`
    return Console(file=cast(TextIO, Patient(out)), highlight=False, soft_wrap=True)


#: Columns of text that a table gets where the output is no terminal.
WIDTH = 120


def wide_console() -> Console:
    """Return a console for tables of many columns, which a file or a pipe has room for."""
    out = console()
    if not out.is_terminal:
        out.width = WIDTH
    return out


class Patient:
    """A text file whose reader may leave: `opconform run | head` ends the printing, and neither run nor log."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def write(self, text: str) -> int:
        """Write; what nobody reads is dropped."""
        try:
            return self._file.write(text)
        except BrokenPipeError:
            _silence(self._file)
            return len(text)

    def flush(self) -> None:
        """Flush; what nobody reads is dropped."""
        try:
            self._file.flush()
        except BrokenPipeError:
            _silence(self._file)


def _silence(file: TextIO) -> None:
    """Let all that is and will be written to a file vanish."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, file.fileno())
    os.close(nowhere)
