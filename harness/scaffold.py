"""New files for a new op or a new runtime: complete in form, with placeholders that `opconform lint` refuses."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from opconform.harness import schema
from opconform.harness.errors import InputError
from opconform.harness.spec_load import spec_folder

_OP = re.compile(r"[A-Z][A-Z0-9]*(_[A-Z0-9]+)*")
_RUNTIME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")


class ScaffoldError(InputError):
    """Nothing was written; the message is one line that says why and what to do."""


def checkout(root: Path | None = None) -> Path:
    """Return the root of the checkout to write into: `root`, else where this installation's specs come from."""
    found = root or spec_folder().resolve().parent.parent
    if not (found / "pyproject.toml").is_file() or not (found / "specs" / "ops").is_dir():
        raise ScaffoldError(f"{found}: is no checkout of opconform; give one with --root DIR")
    return found


def write_new(root: Path, files: Mapping[str, str]) -> list[Path]:
    """Write files below root, all or none; ScaffoldError where one exists."""
    for name in files:
        if (root / name).exists():
            raise ScaffoldError(f"{root / name}: exists already and is left as it is; choose another name")
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    return [root / name for name in files]


def op_files(name: str) -> Mapping[str, str]:
    """Return the spec and the reference kernel of a new op by path; ScaffoldError for a name that cannot be one."""
    op = name.upper()
    if not _OP.fullmatch(op):
        raise ScaffoldError(f"'{name}' cannot be an op; a name is as in the TFLite schema, e.g. FLOOR_DIV")
    low = op.lower()
    return {
        f"specs/ops/{low}.yaml": _SPEC.replace("OPNAME", op),
        f"runtimes/reference/kernels/{low}.py": _KERNEL.replace("OPNAME", op).replace("opname", low),
    }


def schema_advice(name: str) -> str:
    """Return what harness/schema.py lacks for an op, or ""."""
    op = name.upper()
    if op in schema.OPS:
        return ""
    words = "".join(part.capitalize() for part in op.split("_"))
    return (
        f'harness/schema.py does not know {op}: add "{op}": (<builtin code>, "{words}Options") to OPS, and '
        f'"{words}Options": Options(<union code>, _fields(<field>=(<slot>, "<kind>"))) to OPTIONS '
        '("" instead where the op has no options)'
    )


def runtime_files(name: str) -> Mapping[str, str]:
    """Return manifest, adapter and test of a new runtime by path; ScaffoldError for a name that cannot be one."""
    if not _RUNTIME.fullmatch(name):
        raise ScaffoldError(f"'{name}' cannot be a runtime; a name has small letters, digits and _, e.g. my_engine")
    words = "".join(part.capitalize() for part in name.split("_"))
    templates = {
        f"runtimes/{name}/runtime.yaml": _MANIFEST,
        f"runtimes/{name}/__init__.py": _ADAPTER,
        f"tests/runtimes/test_{name}.py": _TEST,
    }
    return {path: text.replace("ENGINE", words).replace("engine", name) for path, text in templates.items()}


def entry_point(name: str) -> str:
    """Return the line that pyproject.toml needs below [project.entry-points."opconform.runtimes"]."""
    words = "".join(part.capitalize() for part in name.split("_"))
    return f'{name} = "opconform.runtimes.{name}:{words}"'


_SPEC = """\
# The contract of one op; docs/spec-language.md explains every key. Placeholders look like <this>: lint refuses them.
op: OPNAME
summary: "<one sentence: what it computes>"
see:
  - <link to public documentation>

inputs:
  x: {shape: A}
outputs:
  y: {shape: A}
attributes: {}

domain:
  A: {rank: [0, 6], dim: [0, 5]}
  values: {float32: [-1.0e+3, 1.0e+3]}
  specials: [nan, inf, negative_zero, denormal]

types:
  float32: {x: float32, y: float32}

require:
  R1: {that: size(A) <= 256, why: keeps one case small enough for a microcontroller with 16 KB of RAM}

invalid:
  E1: {for: float32, dtype: {y: int32}, why: input and output have one dtype}

tolerance:
  # <why this bound and no other: which operations round, and by how much>
  float32: {ulp: "<bound>"}

properties: []

canonical: {A: [8, 16]}
"""

_KERNEL = '''\
"""OPNAME in float64."""

from __future__ import annotations

from opconform.harness.model import Array
from opconform.runtimes.reference.registry import kernel


@kernel("OPNAME")
def opname(x: Array) -> Array:
    """Return <what it computes, and the public source of the formula>."""
    raise ValueError("<write the definition of OPNAME: float64 in, float64 out, no rounding>")
'''

_MANIFEST = """\
name: engine
summary: "<one line for lists and reports>"
targets: [host]
arithmetic: unspecified
# Globs over OP/row. The skeleton declines every model, so it claims nothing: claim rows as they begin to pass.
rows: []
# What it can do and what it takes (training, ops, binary_size ...) goes into a block `claims`: docs/claims.md.
"""

_ADAPTER = '''\
"""engine: <which engine this is, and how its variants are named>."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from opconform.harness.model import Array
from opconform.harness.runtime import InvalidModel, Manifest, Unsupported

# Every .tflite file holds this behind its first offset.
_IDENTIFIER = b"TFL3"


class ENGINE:
    """The adapter; `at` is what stands behind the @ of the runtime's name."""

    def __init__(self, at: str = "") -> None:
        self._at = at

    def describe(self) -> Manifest:
        """Return the name; rows and limits stand in runtime.yaml."""
        return Manifest(name="engine")

    def open(self, model: bytes) -> Session:
        """Open a model. Raises InvalidModel for a broken file, Unsupported for what the engine cannot do."""
        if model[4:8] != _IDENTIFIER:
            raise InvalidModel("the file has no TFL3 identifier")
        raise Unsupported("engine runs no operator yet; open the model here and return Session(...)")


class Session:
    """One opened model."""

    def __init__(self, inputs: int) -> None:
        self._inputs = inputs

    def run(self, inputs: Sequence[Array]) -> Sequence[Array]:
        """Invoke once; the outputs are copies. Raises InvalidModel for inputs that do not fit."""
        if len(inputs) != self._inputs:
            raise InvalidModel(f"{len(inputs)} inputs given, the model has {self._inputs}")
        raise Unsupported("engine computes nothing yet")

    def meters(self) -> Mapping[str, int]:
        """Return what the last invocation cost: arena, stack, instructions, time; {} if it cannot tell."""
        return {}

    def close(self) -> None:
        """Free the model."""
'''

_TEST = '''\
"""The adapter engine: refusals, and the smoke test once it runs ADD or ABS."""

from __future__ import annotations

import pytest

from opconform.harness.flatmodel import Graph, Node, TensorDef, write_model
from opconform.harness.runtime import InvalidModel, Unsupported
from opconform.runtimes.engine import ENGINE


def test_a_truncated_file_is_refused_as_invalid() -> None:
    with pytest.raises(InvalidModel):
        ENGINE().open(b"\\x1c\\x00")


def test_a_model_is_declined_with_a_reason_as_long_as_nothing_runs() -> None:
    tensors = (TensorDef("x", "float32", (2,)), TensorDef("y", "float32", (2,)))
    model = write_model([Graph(tensors, (Node("ABS", (0,), (1,), {}),), (0,), (1,))])
    with pytest.raises(Unsupported, match="engine"):
        ENGINE().open(model)
'''
