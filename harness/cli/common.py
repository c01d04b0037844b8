"""What the subcommands share: exit codes, consoles, errors as one line."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

import typer
from rich.console import Console

from opconform.harness.expectations_update import UpdateError
from opconform.harness.flatread import ModelError
from opconform.harness.generate.cases import ReferenceMismatch
from opconform.harness.generate.codec import BadCaseId
from opconform.harness.runlog import LogError
from opconform.harness.runner import NothingSelected, WorkerLost
from opconform.harness.runtime import RuntimeFailure
from opconform.harness.scaffold import ScaffoldError
from opconform.harness.yamlish import SpecError
from opconform.reports.log import LogError as ReadError
from opconform.targets.cortex_m.build import BuildFailed

AS_EXPECTED, DEVIATIONS, BAD_INPUT, INFRASTRUCTURE, INTERRUPTED = 0, 1, 2, 3, 130

# Newer typers bring their own click, older ones use the package: only the class hierarchy is the same.
_UsageError: Any = next(c for c in typer.BadParameter.__mro__ if c.__name__ == "ClickException")

#: Errors whose message is one line for the reader.
BAD_INPUTS = (
    ModelError,
    SpecError,
    NothingSelected,
    LogError,
    RuntimeFailure,
    BadCaseId,
    ReferenceMismatch,
    ReadError,
    BuildFailed,
    ScaffoldError,
    UpdateError,
)


def guard(app: Callable[..., Any]) -> int:
    """Run a typer app; turn what a user can cause into one line and its exit code."""
    try:
        result = app(standalone_mode=False)
        return result if isinstance(result, int) else AS_EXPECTED
    except typer.Exit as error:
        return int(error.exit_code)
    except typer.Abort:
        return INTERRUPTED
    except _UsageError as error:
        return _say(error.format_message(), BAD_INPUT)
    except BAD_INPUTS as error:
        return _say(str(error), BAD_INPUT)
    except WorkerLost as error:
        return _say(str(error), INFRASTRUCTURE)
    except BrokenPipeError:
        # The reader of our output is gone (`| head`): nothing more to say, and no traceback either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return AS_EXPECTED
    except OSError as error:
        # A file or folder that cannot be read or written; anything else that the system refuses is one line as well.
        where = f"{error.filename}: " if error.filename else ""
        return _say(f"{where}{error.strerror or error}; check the path, its rights and the space left", BAD_INPUT)
    except KeyboardInterrupt:
        return _say("interrupted; the log is kept and says that it is incomplete: go on with --resume", INTERRUPTED)


def _say(message: str, code: int) -> int:
    print("opconform: " + " ".join(message.split()), file=sys.stderr)
    return code


def console() -> Console:
    """Return a console on standard output (plain where it is no terminal)."""
    return Console(highlight=False, soft_wrap=True)
