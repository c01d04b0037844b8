"""The float64 reference: the oracle that every other runtime is judged by."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pkgutil import iter_modules

from opconform.harness.runtime import Manifest
from opconform.runtimes.reference import kernels
from opconform.runtimes.reference.registry import Kernel, collect


class Reference:
    """Look up the reference kernel and the integer twin of an op."""

    def __init__(self, target: str = "") -> None:
        modules = [import_module(f"{kernels.__name__}.{module.name}") for module in iter_modules(kernels.__path__)]
        self._kernels = collect(modules, "reference_of")
        self._twins = collect(modules, "twin_of")

    def describe(self) -> Manifest:
        """Return the manifest; the reference runs in this process and opens no model."""
        return Manifest(name="reference", summary="float64 definition of every op, in NumPy", targets=("host",))

    @property
    def kernels(self) -> Mapping[str, Kernel]:
        """Op -> float64 function (docs/spec-language.md, "Reference kernels and integer twins")."""
        return self._kernels

    @property
    def twins(self) -> Mapping[str, Kernel]:
        """Op -> integer function."""
        return self._twins
