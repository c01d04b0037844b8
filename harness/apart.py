"""Call a function in a fresh interpreter: what it allocates, breaks or leaves behind ends with that process."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any, TypeVar, cast

from opconform.harness.runtime import RuntimeFailure

Result = TypeVar("Result")


class Lost(RuntimeFailure):
    """The process ended or took too long; the message says which."""


def apart(function: Callable[..., Result], *arguments: object, seconds: float = 300.0) -> Result:
    """Return what a function of a module returns in a process of its own; arguments and result are pickled.

    Raises what the function raises, and Lost where its process dies or does not answer within `seconds`.
    """
    with staying(function, *arguments, seconds=seconds) as result:
        return result


@contextmanager
def staying(function: Callable[..., Result], *arguments: object, seconds: float = 300.0) -> Iterator[Result]:
    """Give what apart returns to a block, and end the process with it: others may need it that work with it."""
    context = multiprocessing.get_context("spawn")
    near, far = context.Pipe()
    process = context.Process(target=_answer, args=(far, function, arguments), daemon=True)
    process.start()
    far.close()
    try:
        result: Any = _received(near, process, seconds)
        if isinstance(result, Exception):
            raise result
        yield cast(Result, result)
    finally:
        process.kill()
        process.join()
        near.close()


def _received(near: Connection[Any, Any], process: BaseProcess, seconds: float) -> Any:
    """Return what the process sends. Raises Lost."""
    if not near.poll(seconds):
        raise Lost(f"its process gave no answer within {seconds:g} s")
    try:
        return near.recv()
    except (EOFError, ConnectionError) as error:
        process.join(5.0)
        raise Lost(f"its process ended with status {process.exitcode}") from error


def _answer(far: Connection, function: Callable[..., object], arguments: tuple[object, ...]) -> None:
    try:
        far.send(function(*arguments))
    except Exception as error:
        far.send(_portable(error))
    with suppress(EOFError, OSError):
        far.recv()  # until it is ended from the other side


def _portable(error: Exception) -> Exception:
    """Return an exception that survives the pipe: its own kind where that is the harness's, else its words."""
    if type(error).__module__.startswith("opconform."):
        return error
    return RuntimeFailure(" ".join(f"{type(error).__name__}: {error}".split()))
