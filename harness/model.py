"""The frozen data types that every part of opconform shares. Imports NumPy and its bfloat16 only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import ml_dtypes
import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Shape = tuple[int, ...]

#: The longest string that travels, in bytes; shorter ones are padded with zeros, which NumPy does not count.
STRING_BYTES = 32
#: dtype name -> (NumPy dtype, TensorType code in the TFLite schema). int4 is one number a byte outside of a model.
DTYPES: Mapping[str, tuple[np.dtype[Any], int]] = {
    "float32": (np.dtype(np.float32), 0),
    "float16": (np.dtype(np.float16), 1),
    "int32": (np.dtype(np.int32), 2),
    "uint8": (np.dtype(np.uint8), 3),
    "int64": (np.dtype(np.int64), 4),
    "string": (np.dtype(f"S{STRING_BYTES}"), 5),
    "bool": (np.dtype(np.bool_), 6),
    "int16": (np.dtype(np.int16), 7),
    "complex64": (np.dtype(np.complex64), 8),
    "int8": (np.dtype(np.int8), 9),
    "float64": (np.dtype(np.float64), 10),
    "uint64": (np.dtype(np.uint64), 12),
    "resource": (np.dtype(np.int32), 13),
    "uint32": (np.dtype(np.uint32), 15),
    "uint16": (np.dtype(np.uint16), 16),
    "int4": (np.dtype(np.int8), 17),
    "bfloat16": (np.dtype(ml_dtypes.bfloat16), 18),
}
#: dtypes that never travel by themselves: a handle inside a model, and weights of half a byte
INNER_DTYPES = ("resource", "int4")
CODE_TO_DTYPE: Mapping[int, str] = {code: name for name, (_, code) in DTYPES.items()}


@dataclass(frozen=True, slots=True)
class Quant:
    """Affine quantization: real = scale * (q - zero_point), per tensor or along `axis`.

    `scale` holds float32 values (as Python floats); length 1 means per tensor.
    """

    scale: tuple[float, ...]
    zero_point: tuple[int, ...]
    axis: int = 0

    @property
    def per_axis(self) -> bool:
        """Tell whether scales differ along `axis`."""
        return len(self.scale) > 1


@dataclass(frozen=True, slots=True)
class Sparsity:
    """How a constant is stored sparsely: in levels, the outermost first (harness/sparse.py).

    `order` names the axes of the tensor, then, from its rank on, the places inside the blocks, in the order of
    `blocks` (axis, size); `compressed` tells for each level in that order whether its zeros are left out.
    """

    order: tuple[int, ...]
    compressed: tuple[bool, ...]
    blocks: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class TensorType:
    """Name, dtype, shape and quantization of one tensor; no data."""

    name: str
    dtype: str
    shape: Shape
    quant: Quant | None = None
    dynamic: bool = False  # the shape depends on data; `shape` is then an upper bound
    sparsity: Sparsity | None = None  # of a constant: how it is stored


@dataclass(frozen=True, slots=True)
class Input:
    """One input slot of a case.

    `role` is "input" (fed at every invocation), "constant" (stored in the model,
    `data` set), "variable" (state that the runtime keeps) or "absent" (index -1).
    """

    tensor: TensorType
    role: str
    data: Array | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """One model of one op with the input vectors it is invoked with.

    `vectors` holds one tuple of arrays per invocation, in the order of the inputs
    whose role is "input"; for a stateful op the order is the order of time.
    """

    id: str
    op: str
    row: str
    attributes: Mapping[str, Any]
    symbols: Mapping[str, Any]
    inputs: tuple[Input, ...]
    outputs: tuple[TensorType, ...]
    vectors: tuple[tuple[Array, ...], ...]
    classes: tuple[str, ...] = ()
    violates: str = ""  # label of the clause that this case breaks on purpose
    choices: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Produced:
    """The runtime answered: one tuple of arrays per invocation, and its meters."""

    outputs: tuple[tuple[Array, ...], ...]
    meters: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Declined:
    """The runtime says that it does not support this model (op, dtype or attribute), or has no memory for it."""

    why: str
    no_memory: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class Rejected:
    """The runtime says that the model or its inputs are invalid."""

    why: str


@dataclass(frozen=True, slots=True)
class Crashed:
    """The worker died or faulted; `detail` names the signal or the fault and its registers."""

    detail: str


@dataclass(frozen=True, slots=True)
class TimedOut:
    """No answer within `seconds` (of CPU time on an emulator)."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Lost:
    """A value did not survive the way to the runtime or back: `detail` says which, and what cannot carry it."""

    detail: str


@dataclass(frozen=True, slots=True)
class Infra:
    """The target itself failed: it could not start, or spoke no valid frame."""

    detail: str


Outcome = Produced | Declined | Rejected | Crashed | TimedOut | Lost | Infra

VERDICTS = (
    "pass",
    "wrong-value",
    "wrong-shape",
    "wrong-dtype",
    "rejects-valid",
    "accepts-invalid",
    "crash",
    "timeout",
    "over-budget",
    "lost-in-transport",
    "declined",
    "infra",
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an outcome means for one case on one runtime."""

    kind: str  # one of VERDICTS
    clause: str = ""  # label of the spec clause that decided, e.g. "T2"
    error: float = 0.0  # worst error seen, in the unit of `limit`
    limit: float = 0.0  # what the spec allows, in `unit`
    unit: str = ""  # "ulp", "lsb", "bound", "exact" ...
    message: str = ""  # one line: where, what was found, what is allowed
    vector: int = -1  # index of the worst vector
    index: tuple[int, ...] = ()  # index of the worst element
    output: int = 0  # index of the worst output
    histogram: Mapping[int, int] = field(default_factory=dict)  # error in quanta -> elements
