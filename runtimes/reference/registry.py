"""How reference kernels and integer twins are marked and found."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import ModuleType
from typing import Any

Kernel = Callable[..., Any]


def kernel(*ops: str) -> Callable[[Kernel], Kernel]:
    """Mark a float64 function as the reference of these ops."""

    def mark(function: Kernel) -> Kernel:
        function.reference_of = ops  # type: ignore[attr-defined]
        return function

    return mark


def twin(*ops: str) -> Callable[[Kernel], Kernel]:
    """Mark an integer function as the bit-exact definition of these ops' quantized rows."""

    def mark(function: Kernel) -> Kernel:
        function.twin_of = ops  # type: ignore[attr-defined]
        return function

    return mark


def analysis(target: Kernel) -> Callable[[Kernel], Kernel]:
    """Mark a function as the error analysis of a reference kernel, for rows whose tolerance is a `spread`."""

    def mark(function: Kernel) -> Kernel:
        target.spread = function  # type: ignore[attr-defined]
        return function

    return mark


def collect(modules: Iterable[ModuleType], mark: str) -> Mapping[str, Kernel]:
    """Return op -> function for every function of the modules that carries the mark."""
    return {
        op: function for module in modules for function in vars(module).values() for op in getattr(function, mark, ())
    }
