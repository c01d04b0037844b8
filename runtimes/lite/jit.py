"""Kernels as machine code: the only place that knows numba, its options and its cache.

A kernel is a plain Python function over flat arrays, decorated with `kernel`; functions that it
calls are decorated with `helper`. `bind` compiles it for the dtypes at hand on first use, keeps the
object file in a cache directory, and returns a callable without arguments that runs the kernel on
exactly these arrays. Once cached, a kernel is loaded by llvmlite alone: numba, whose start-up takes
longer than most models run, is imported only to compile.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import itertools
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any, TypeVar, cast

import llvmlite
import llvmlite.binding as llvm
import numpy as np

from opconform.harness.model import Array
from opconform.runtimes.lite import cpu
from opconform.runtimes.lite.graph import Step

Function = TypeVar("Function", bound=Callable[..., Any])
#: A number in compiled code; its machine type follows from the arrays, which no annotation can say.
Number = Any

#: error_model: a division must not raise, or no loop with one becomes vector code. No fast-math: NaN, infinities
#: and signed zeros are part of the operators' contracts; only `summing_kernel` may reorder sums.
_OPTIONS: dict[str, Any] = {"error_model": "numpy", "no_cpython_wrapper": True, "no_cfunc_wrapper": True}
_SUMMING: dict[str, Any] = {"fastmath": {"reassoc", "contract"}}
#: Set to compile with bounds checks (an IndexError instead of a stray access); for fuzzing. Slow, never cached.
CHECKED_VARIABLE = cpu.CHECKED_VARIABLE
_FORMAT = b"opconform-lite-3\n"
_MARK = "__lite_jit__"
_EMITTED = "emitted"


def kernel(function: Function) -> Function:
    """Mark a kernel: arrays in, nothing out, no exceptions."""
    setattr(function, _MARK, {})
    return function


def summing_kernel(function: Function) -> Function:
    """Mark a kernel whose float sums may be reordered and fused, so that dot products become vector code."""
    setattr(function, _MARK, _SUMMING)
    return function


def helper(function: Function) -> Function:
    """Mark a function that kernels call; the compiler inlines it."""
    setattr(function, _MARK, {})
    return function


def summing_helper(function: Function) -> Function:
    """Mark a helper whose float sums may be reordered and fused."""
    setattr(function, _MARK, _SUMMING)
    return function


def emitted(program: Callable[..., None]) -> Callable[..., None]:
    """Mark a function that writes vector code (see `vector`); kernels call it without its first argument, the Code.

    Arrays reach it as addresses, integers as 64-bit integers, float32 as they are.
    """
    setattr(program, _MARK, {_EMITTED: True})
    return program


class Call:
    """Kernels bound to their arrays, called one after the other by machine code.

    `words` is what `vector.caller_module` describes; the arrays are kept alive.
    """

    __slots__ = ("_address", "_alive", "_run", "words")

    def __init__(self, words: Array, alive: tuple[object, ...]) -> None:
        self.words, self._alive = words, alive
        self._run, self._address = _caller(), ctypes.c_void_p(words.__array_interface__["data"][0])

    def __call__(self) -> None:
        self._run(self._address)

    @classmethod
    def joined(cls, calls: list[Call]) -> Call:
        """Return one call that does all of them."""
        parts = [call.words[:-2] for call in calls]
        return cls(np.concatenate([*parts, _END]), tuple(call._alive for call in calls))


#: No kernel follows: address and number of arguments.
_END = np.zeros(2, np.int64)
_MOST_ARGUMENTS = 24


def joined(steps: list[Step]) -> list[Step]:
    """Return the steps with neighbouring kernels joined into one call."""
    groups = [(native, list(group)) for native, group in itertools.groupby(steps, lambda step: type(step) is Call)]
    short: list[Step] = []
    for native, group in groups:
        short += [Call.joined(cast(list[Call], group))] if native and len(group) > 1 else group
    return short


def bind(function: Callable[..., None], *arrays: Array) -> Step:
    """Return a callable that runs a kernel on these arrays, which must be flat, contiguous and aligned.

    Machine code works on the memory itself: the callable keeps the arrays alive.
    """
    if not 0 < len(arrays) <= _MOST_ARGUMENTS:
        raise ValueError(f"{function.__name__}: {len(arrays)} arrays; 1 to {_MOST_ARGUMENTS} are allowed")
    dtypes = tuple([array.dtype.str for array in arrays])
    if _checks():
        return functools.partial(_checked(function, dtypes), *[_unsigned(array) for array in arrays])
    code = _load(function, dtypes, cpu.vectors().name)
    addresses = [array.__array_interface__["data"][0] for array in arrays]
    return Call(np.array([code.address, len(arrays), *addresses, 0, 0], np.int64), (code, *arrays))


@functools.lru_cache(maxsize=1)
def _checks() -> bool:
    return bool(os.environ.get(CHECKED_VARIABLE))


def _unsigned(array: Array) -> Array:
    return array.view(np.uint8) if array.dtype == np.bool_ else array


def _element(dtype: str) -> np.dtype[Any]:
    """Return the dtype by which machine code reads an array: a bool is a byte."""
    return np.dtype(np.uint8) if dtype == "|b1" else np.dtype(dtype)


def cache_directory() -> Path:
    """Return where object files are kept: under $NUMBA_CACHE_DIR, else in the user's cache."""
    if chosen := os.environ.get("NUMBA_CACHE_DIR"):
        return Path(chosen) / "opconform-lite"
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "opconform" / "lite"


def object_code(function: Callable[..., None], dtypes: tuple[str, ...]) -> bytes:
    """Return the ELF object of a kernel for array dtypes such as "<f4"; its text section is what the kernel costs."""
    return _object(function, dtypes)[1]


@dataclass(frozen=True, slots=True)
class _Code:
    """A loaded function; the engine owns its memory."""

    address: int
    engine: llvm.ExecutionEngine


@functools.cache
def _load(function: Callable[..., None], dtypes: tuple[str, ...], path: str) -> _Code:
    return _loaded(*_object(function, dtypes))


def _loaded(symbol: str, code: bytes) -> _Code:
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), _machine())
    engine.add_object_file(llvm.ObjectFileRef.from_data(code))
    engine.finalize_object()
    return _Code(engine.get_function_address(symbol), engine)


@functools.lru_cache(maxsize=1)
def _caller() -> Callable[..., object]:
    """Return the machine code that calls kernels."""
    name, text = "opconform_lite_call", _vector_source()
    print_of = hashlib.sha256("\n".join((text, *platform())).encode()).hexdigest()[:24]

    def compile_caller() -> bytes:
        from opconform.runtimes.lite.vector import caller_module

        module = llvm.parse_assembly(caller_module(name, _MOST_ARGUMENTS))
        return b"%s\n%s" % (name.encode(), _machine().emit_object(module))

    code = _loaded(*_kept(f"caller-{print_of}.o", compile_caller))
    run = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(code.address)
    run.keeps = code  # type: ignore[attr-defined]
    return run


def _machine() -> llvm.TargetMachine:
    platform()
    return llvm.Target.from_default_triple().create_target_machine(jit=True)


def _object(function: Callable[..., None], dtypes: tuple[str, ...]) -> tuple[str, bytes]:
    """Return the symbol and the object file of a kernel."""
    name = f"{function.__name__}-{fingerprint(function, dtypes)}.o"
    return _kept(name, functools.partial(_compile, function, dtypes))


def _kept(name: str, compile_it: Callable[[], bytes]) -> tuple[str, bytes]:
    """Return symbol and object, from the cache or compiled; a cache that cannot be written is no error."""
    path = cache_directory() / name
    content = _stored(path)
    if not content:
        content = compile_it()
        _store(path, _FORMAT + hashlib.sha256(content).digest() + content)
    symbol, _, code = content.partition(b"\n")
    return symbol.decode(), code


def _stored(path: Path) -> bytes:
    """Return what a cache file holds; nothing where it is missing or damaged."""
    try:
        content = path.read_bytes()
    except OSError:
        return b""
    body = content[len(_FORMAT) + 32 :]
    return body if content == _FORMAT + hashlib.sha256(body).digest() + body else b""


def _store(path: Path, content: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
            file.write(content)
        os.replace(file.name, path)
    except OSError:
        return


def fingerprint(function: Callable[..., None], dtypes: tuple[str, ...]) -> str:
    """Hash all that shapes the machine code: the sources of kernel and helpers, the compiler and the processor."""
    reached = list(_codes(function))
    codes = "".join(_digest(code) for code in reached)
    vector = (cpu.vectors().name, _vector_source()) if any(map(_is_emitted, reached)) else ()
    text = "\n".join((codes, *dtypes, repr(_OPTIONS), *vector, *platform()))
    return hashlib.sha256(text.encode()).hexdigest()[:24]


@functools.lru_cache(maxsize=1)
def _vector_source() -> str:
    return Path(__file__).with_name("vector.py").read_text(encoding="utf-8")


def _is_emitted(function: Callable[..., Any]) -> bool:
    return _EMITTED in getattr(function, _MARK)


@functools.lru_cache(maxsize=1)
def platform() -> tuple[str, ...]:
    """Return what machine code depends on beside its source: versions and the processor; starts the code generator."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    llvm.initialize_native_asmparser()
    features = llvm.get_host_cpu_features().flatten()
    return (sys.version, llvmlite.__version__, np.__version__, llvm.get_host_cpu_name(), features)


def _codes(function: Callable[..., Any]) -> Iterator[FunctionType]:
    """Yield a kernel and, once each, the helpers that it reaches."""
    seen: dict[str, FunctionType] = {}
    waiting = [function]
    while waiting:
        current = waiting.pop()
        if not isinstance(current, FunctionType) or current.__qualname__ in seen:
            continue
        seen[current.__qualname__] = current
        found = (current.__globals__.get(name) for name in current.__code__.co_names)
        waiting += [value for value in found if isinstance(value, FunctionType) and hasattr(value, _MARK)]
    return iter(seen.values())


def _digest(function: FunctionType) -> str:
    code: CodeType = function.__code__
    values = {name: function.__globals__.get(name) for name in code.co_names}
    constants = {name: value for name, value in values.items() if isinstance(value, int | float | tuple)}
    fast = sorted(getattr(function, _MARK).get("fastmath", ()))
    return repr((fast, *_stable(code), constants))


def _stable(code: CodeType) -> tuple[object, ...]:
    """Return what a code object says; one inside it would be shown with its address, which differs in every process."""
    parts = tuple(_stable(part) if isinstance(part, CodeType) else part for part in code.co_consts)
    return (code.co_code.hex(), parts, code.co_names, code.co_varnames)


def _options(function: Callable[..., Any]) -> dict[str, Any]:
    return {**_OPTIONS, **getattr(function, _MARK)}


def _compile(function: Callable[..., None], dtypes: tuple[str, ...]) -> bytes:
    import numba
    import numba.core.types

    types: Any = numba.core.types  # its classes are not typed
    _register_helpers(function)
    pointers = [types.CPointer(numba.from_dtype(_element(dtype))) for dtype in dtypes]
    compiled = numba.njit(types.void(*pointers), **_options(function))(function)
    result: Any = next(iter(compiled.overloads.values()))
    code: bytes = result.library._get_compiled_object()
    return f"{result.fndesc.llvm_func_name}\n".encode() + code


@functools.cache
def _checked(function: Callable[..., None], dtypes: tuple[str, ...]) -> Callable[..., object]:
    import numba
    from numba.core import types

    _register_helpers(function)
    arrays = [types.Array(numba.from_dtype(_element(dtype)), 1, "C") for dtype in dtypes]
    checked: Callable[..., object] = numba.njit(types.void(*arrays), error_model="numpy", boundscheck=True)(function)
    return checked


def _register_helpers(function: Callable[..., None]) -> None:
    from numba.extending import register_jitable

    for reached in _codes(function):
        if _is_emitted(reached):
            _register_program(reached)
        elif reached is not function:
            register_jitable(error_model="numpy", **getattr(reached, _MARK))(reached)


@functools.cache
def _register_program(program: Callable[..., None]) -> None:
    """Tell numba that a call of the program has no result and becomes the instructions that the program writes."""
    import numba.core.types
    from llvmlite import ir
    from numba.core.typing import templates
    from numba.extending import lower_builtin

    from opconform.runtimes.lite.vector import Code

    types, typing, lower_as = cast(Any, numba.core.types), cast(Any, templates), cast(Any, lower_builtin)

    def plain(builder: Any, kind: Any, value: Any) -> Any:
        if isinstance(kind, types.CPointer):
            return builder.ptrtoint(value, ir.IntType(64))
        return builder.sext(value, ir.IntType(64)) if isinstance(kind, types.Integer) and kind.bitwidth < 64 else value

    def lower(context: Any, builder: Any, called: Any, values: Any) -> Any:
        given = [plain(builder, kind, value) for kind, value in zip(called.args, values, strict=True)]
        program(Code(builder, cpu.vectors()), *given)
        return context.get_dummy_value()

    def generic(_: Any, kinds: Any, __: Any) -> Any:
        return typing.signature(types.none, *kinds)

    template = type(program.__name__, (typing.AbstractTemplate,), {"key": program, "generic": generic})
    typing.infer_global(program)(template)
    lower_as(program, types.VarArg(types.Any))(lower)
