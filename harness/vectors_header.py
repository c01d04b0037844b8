"""One case as a C99 header: the model, and every vector as bit patterns, so that no compiler rounds a number."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import numpy as np

from opconform.harness.intervals import Accepted
from opconform.harness.model import Array, Case

_ROW = 12
_ALIGN = """\
#ifndef OPC_ALIGN16
#if defined(__STDC_VERSION__) && __STDC_VERSION__ >= 201112L
#define OPC_ALIGN16 _Alignas(16)
#elif defined(__GNUC__)
#define OPC_ALIGN16 __attribute__((aligned(16)))
#else
#define OPC_ALIGN16
#endif
#endif
"""


def render(case: Case, model: bytes, right: Sequence[Sequence[Accepted]]) -> bytes:
    """Return the header of a case, as UTF-8; `right` by vector, then output; no outputs where it must be refused."""
    return ("\n".join(_lines(case, model, right)) + "\n").encode()


def _lines(case: Case, model: bytes, right: Sequence[Sequence[Accepted]]) -> Iterator[str]:
    guard = "OPC_" + re.sub(r"\W", "_", case.id).upper() + "_H"
    yield f"/* {case.id}, made by `opconform export`; docs/vectors.md says how to read it. */"
    yield f"#ifndef {guard}"
    yield f"#define {guard}"
    yield "#include <stdint.h>"
    yield _ALIGN.rstrip()
    yield f"#define OPC_VECTORS {len(case.vectors)}"
    yield f"#define OPC_REFUSED {int(bool(case.violates))} /* 1: the model must be refused, there are no outputs */"
    yield from _array("OPC_ALIGN16 static const uint8_t", "opc_model", np.frombuffer(model, np.uint8))
    for number, (vector, outputs) in enumerate(zip(case.vectors, right, strict=True)):
        yield from _inputs(case, number, vector)
        yield from _outputs(case, number, outputs)
    yield "#endif"


def _inputs(case: Case, number: int, vector: tuple[Array, ...]) -> Iterator[str]:
    fed = [slot.tensor for slot in case.inputs if slot.role == "input"]
    for tensor, data in zip(fed, vector, strict=True):
        yield f"/* input {tensor.name} of vector {number}: {tensor.dtype} {list(data.shape)} */"
        yield from _bits(f"opc_{tensor.name}_{number}", data)


def _outputs(case: Case, number: int, right: Sequence[Accepted]) -> Iterator[str]:
    for tensor, one in zip(case.outputs, right, strict=False):
        yield f"/* output {tensor.name} of vector {number}: {tensor.dtype} {list(one.want.shape)} */"
        for part, data in (("want", one.want), ("low", one.low), ("high", one.high)):
            yield from _bits(f"opc_{tensor.name}_{number}_{part}", data)


def _bits(name: str, data: Array) -> Iterator[str]:
    """Yield an array of unsigned integers of the elements' width; strings and complex numbers by their parts."""
    plain = np.ascontiguousarray(data)
    width = {"S": 1, "c": plain.itemsize // 2}.get(plain.dtype.kind, plain.itemsize)
    yield from _array(f"static const uint{8 * width}_t", name, plain.reshape(-1).view(f"<u{width}"))


def _array(kind: str, name: str, values: Array) -> Iterator[str]:
    if values.size == 0:
        yield f"{kind} {name}[1] = {{0}}; /* no elements */"
        return
    yield f"{kind} {name}[{values.size}] = {{"
    digits, suffix = 2 * values.itemsize, {8: "ull", 4: "u"}.get(values.itemsize, "")
    for start in range(0, values.size, _ROW):
        yield "    " + " ".join(f"0x{int(v):0{digits}x}{suffix}," for v in values[start : start + _ROW])
    yield "};"
