"""Runtimes with one defect each, of the kind that kernels really have: `tests/fakes/defects.py:drops_dilation`.

Each carries `lite`, promises its arithmetic, and does one thing wrong: the model is patched in place before it is
opened, or what goes in or comes out is changed. What a defect does not concern is answered as the carrier answers it.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as generated

from opconform.harness import schema
from opconform.harness.model import CODE_TO_DTYPE, DTYPES, Array
from opconform.harness.runtime import Manifest, Runtime, Session
from opconform.runtimes.lite import Lite
from opconform.runtimes.litert import LiteRT

#: What reading a file raises that was broken on purpose.
BROKEN = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, struct.error)
CODES = {"enum:activation": "b", "enum:padding": "b", "bool": "?", "int32": "i"}
WINDOWED = ("CONV_2D", "DEPTHWISE_CONV_2D", "AVERAGE_POOL_2D", "MAX_POOL_2D")


@dataclass(frozen=True)
class File:
    """A model of one operator, to look into and to patch in place."""

    data: bytearray

    @property
    def root(self) -> Any:
        return generated.Model.GetRootAs(self.data, 0)

    @property
    def node(self) -> Any:
        return self.root.Subgraphs(0).Operators(0)

    @property
    def op(self) -> str:
        code = self.root.OperatorCodes(0)
        return schema.CODE_TO_OP[max(code.BuiltinCode(), code.DeprecatedBuiltinCode())]

    def _place(self, name: str) -> tuple[int, str, Any]:
        """Return where an option is stored (0: it is not), how, and its default."""
        field = schema.OPTIONS[schema.OPS[self.op][1]].fields[name]
        table = self.node.BuiltinOptions()
        offset = table.Offset(4 + 2 * field.slot)
        return (table.Pos + offset if offset else 0), CODES[field.kind], field.default

    def option(self, name: str) -> int:
        at, code, default = self._place(name)
        return int(struct.unpack_from(f"<{code}", self.data, at)[0]) if at else int(default)

    def set_option(self, name: str, value: int) -> None:
        at, code, _ = self._place(name)
        if at:
            struct.pack_into(f"<{code}", self.data, at, value)

    def input(self, position: int) -> Any:
        return self.root.Subgraphs(0).Tensors(self.node.Inputs(position))

    @property
    def output(self) -> Any:
        return self.root.Subgraphs(0).Tensors(self.node.Outputs(0))

    def vector(self, table: Any, slot: int, dtype: Any) -> Array:
        """Return a writable view of a vector of numbers; empty where it is not stored."""
        offset = table._tab.Offset(4 + 2 * slot)
        if not offset:
            return np.zeros(0, dtype)
        return np.frombuffer(self.data, dtype, table._tab.VectorLen(offset), table._tab.Vector(offset))

    def shape(self, tensor: Any) -> Array:
        return self.vector(tensor, schema.TENSOR["shape"], np.int32)

    def scales(self, tensor: Any) -> Array:
        return self.vector(tensor.Quantization(), schema.QUANTIZATION["scale"], np.float32)

    def zero_points(self, tensor: Any) -> Array:
        return self.vector(tensor.Quantization(), schema.QUANTIZATION["zero_point"], np.int64)

    def constant(self, position: int) -> Array:
        """Return a writable view of a constant input."""
        tensor = self.input(position)
        dtype = DTYPES[CODE_TO_DTYPE[tensor.Type()]][0]
        raw = self.vector(self.root.Buffers(tensor.Buffer()), schema.BUFFER["data"], np.uint8)
        return raw.view(dtype).reshape(self.shape(tensor))


Arrays = Sequence[Array]


@dataclass(frozen=True)
class Defect:
    """What is done wrong, to models of these ops: the file, what goes in, what comes out, or the session."""

    ops: tuple[str, ...]
    patch: Callable[[File], None] = lambda file: None
    feed: Callable[[File, Arrays], Arrays] = lambda file, inputs: inputs
    answer: Callable[[File, Arrays, Arrays], Arrays] = lambda file, inputs, outputs: outputs
    wrap: Callable[[Runtime, bytes, Session], Session] = lambda runtime, model, session: session


@dataclass(frozen=True)
class ChangedSession:
    """A session of the carrier between `feed` and `answer`; `file` is the model as it came."""

    carrier: Session
    file: File
    defect: Defect

    def run(self, inputs: Arrays) -> Arrays:
        outputs = self.carrier.run(self.defect.feed(self.file, inputs))
        return [np.array(y) for y in self.defect.answer(self.file, inputs, outputs)]

    def meters(self) -> Mapping[str, int]:
        return self.carrier.meters()

    def close(self) -> None:
        self.carrier.close()


@dataclass(frozen=True)
class Defective:
    """The carrier with one defect."""

    manifest: Manifest
    carrier: Runtime
    defect: Defect

    def describe(self) -> Manifest:
        return self.manifest

    def open(self, model: bytes) -> Session:
        file, patched = File(bytearray(model)), File(bytearray(model))
        try:
            concerned = file.op in self.defect.ops
            if concerned:
                self.defect.patch(patched)
        except BROKEN:
            concerned = False  # the model is broken already
        session = self.carrier.open(bytes(patched.data if concerned else model))
        if not concerned:
            return session
        return ChangedSession(self.defect.wrap(self.carrier, bytes(patched.data), session), file, self.defect)


def defective(name: str, defect: Defect, carrier: Callable[[str], Runtime] = Lite) -> Callable[[str], Runtime]:
    """Return a factory of runtimes; they promise bit-exact arithmetic, as the carrier does."""
    manifest = Manifest(name=name, arithmetic="double_rounding")

    def factory(at: str = "") -> Runtime:
        return Defective(manifest, carrier(""), defect)

    return factory


def _flipped(array: Array) -> Array:
    return np.ascontiguousarray(array[:, ::-1, ::-1])


def _flip_filter(file: File) -> None:
    if "CONV" in file.op:
        weights = file.constant(1)
        weights[...] = _flipped(weights)


def _first_scale(file: File) -> None:
    for position in (1, 2):
        scales = file.scales(file.input(position))
        scales[...] = scales[0]


def _zero_point_zero(file: File) -> None:
    file.zero_points(file.input(0))[...] = 0


def _no_dilation(file: File) -> None:
    if file.option("padding") == 0:  # where it changes the output's shape, the shape alone tells
        file.set_option("dilation_h", 1)
        file.set_option("dilation_w", 1)


def _filter_size(file: File) -> tuple[int, int]:
    if "POOL" in file.op:
        return file.option("filter_h"), file.option("filter_w")
    _, height, width, *_ = file.shape(file.input(1))
    dilated = (height - 1) * file.option("dilation_h") + 1, (width - 1) * file.option("dilation_w") + 1
    return int(dilated[0]), int(dilated[1])


def _swap_strides(file: File) -> None:
    strides = file.option("stride_w"), file.option("stride_h")
    room = [0, 0] if file.option("padding") == 0 else [size - 1 for size in _filter_size(file)]
    spans = [int(n) - cut for n, cut in zip(file.shape(file.input(0))[1:3], room, strict=True)]
    file.shape(file.output)[1:3] = [-(-span // stride) for span, stride in zip(spans, strides, strict=True)]
    file.set_option("stride_h", strides[0])
    file.set_option("stride_w", strides[1])


def _in_shape(file: File, inputs: Arrays, outputs: Arrays) -> Arrays:
    return [np.resize(outputs[0], file.shape(file.output))]


def _some_off_by_one(file: File, inputs: Arrays, outputs: Arrays) -> Arrays:
    if outputs[0].dtype != np.int8:
        return outputs
    y = outputs[0].reshape(-1).copy()
    some = y[2::5]
    some += np.where(some < 127, 1, -1).astype(np.int8)
    return [y.reshape(outputs[0].shape)]


def _stale_tail(file: File, inputs: Arrays, outputs: Arrays) -> Arrays:
    y = outputs[0].copy()
    y.reshape(-1)[64:] = 0
    return [y]


def _one_number(file: File, inputs: Arrays) -> Arrays:
    if inputs[0].shape == inputs[1].shape or 0 in (inputs[0].size, inputs[1].size):
        return inputs
    return [inputs[0], np.full_like(inputs[1], inputs[1].flat[0])]


def _first_batch(file: File, inputs: Arrays, outputs: Arrays) -> Arrays:
    return [np.broadcast_to(y[:1], y.shape) if y.ndim > 1 else y for y in outputs]


def _no_nan(file: File, inputs: Arrays) -> Arrays:
    return [np.where(np.isnan(x), 0, x).astype(x.dtype) if x.dtype.kind == "f" else x for x in inputs]


def _truncated(file: File, inputs: Arrays) -> Arrays:
    scale = file.scales(file.output)
    if inputs[0].dtype != np.float32 or scale.size != 1:
        return inputs
    return [np.trunc(inputs[0] / scale[0]) * scale[0]]


def _mirrored_axis(file: File, inputs: Arrays, outputs: Arrays) -> Arrays:
    axis, x = int(file.constant(1).flat[0]), inputs[0]
    if axis >= 0 or 0 in x.shape:
        return outputs
    return [np.resize(np.argmax(x, axis=-axis - 1), outputs[0].shape).astype(outputs[0].dtype)]


def _reversed_along(file: File, inputs: Arrays) -> Arrays:
    return [np.ascontiguousarray(np.flip(inputs[0], int(file.constant(1).flat[0])))]


def _counted_back(file: File, inputs: Arrays, outputs: Arrays) -> Arrays:
    along = inputs[0].shape[int(file.constant(1).flat[0])]
    return [along - 1 - y for y in outputs]


def _late_start(file: File, inputs: Arrays, outputs: Arrays) -> Arrays:
    masks = [file.option(f"{name}_mask") for name in ("ellipsis", "new_axis", "shrink_axis")]
    y = outputs[0]
    for axis, stride in enumerate(file.constant(3)):
        if stride < 0 and not any(masks):
            y = np.roll(y, 1, axis)
    return [y]


def _forget_activation(file: File) -> None:
    file.set_option("activation", 0)


@dataclass
class Leaky:
    """A session that leaves one element of the last answer in the next one."""

    carrier: Session
    last: Array | None = None

    def run(self, inputs: Arrays) -> Arrays:
        outputs = [y.copy() for y in self.carrier.run(inputs)]
        fresh = outputs[0].copy()
        if self.last is not None and self.last.size:
            outputs[0].flat[-1] = self.last.flat[-1]
        self.last = fresh
        return outputs

    def meters(self) -> Mapping[str, int]:
        return self.carrier.meters()

    def close(self) -> None:
        self.carrier.close()


@dataclass(frozen=True)
class Reopening:
    """A session that opens its model anew for every invocation, after the first as `change` leaves it."""

    runtime: Runtime
    models: list[bytes]
    change: Callable[[File], None] = lambda file: None

    def run(self, inputs: Arrays) -> Arrays:
        session = self.runtime.open(self.models[0])
        file = File(bytearray(self.models[0]))
        self.change(file)
        self.models[0] = bytes(file.data)
        return session.run(inputs)

    def meters(self) -> Mapping[str, int]:
        return {}

    def close(self) -> None:
        return None


def _scribble(file: File) -> None:
    weights = file.constant(1)
    weights.flat[0] = weights.flat[0] // 2 + 3


@dataclass
class Moody:
    """A change of the last bit of every number, now and then; each is well inside of what a spec allows."""

    dice: Random

    def answer(self, file: File, inputs: Arrays, outputs: Arrays) -> Arrays:
        y = outputs[0]
        return [np.nextafter(y, np.float32(1)) if y.dtype == np.float32 and self.dice.random() < 0.5 else y]


CONVOLUTIONS = ("CONV_2D", "DEPTHWISE_CONV_2D")
ARITHMETIC = ("ADD", "MUL")
MOVING = ("STRIDED_SLICE", "GATHER", "PAD")

carrier = defective("carrier", Defect(()))
some_off_by_one = defective("some_off_by_one", Defect(("ADD",), answer=_some_off_by_one))
forgets_beyond_64 = defective("forgets_beyond_64", Defect((*WINDOWED, "LOGISTIC", "MEAN"), answer=_stale_tail))
ignores_zero_point = defective("ignores_zero_point", Defect(("ADD", "CONV_2D", "MEAN", "LOGISTIC"), _zero_point_zero))
drops_dilation = defective("drops_dilation", Defect(CONVOLUTIONS, _no_dilation))
# LiteRT's resolvers have their own arithmetic; here it comes with the promise of another one.
rounds_once = defective("rounds_once", Defect(()), lambda at: LiteRT("builtin"))
rounds_floats = defective("rounds_floats", Defect(()), lambda at: LiteRT("xnnpack"))
transposed_padding = defective(
    "transposed_padding",
    Defect(
        WINDOWED,
        lambda file: _flip_filter(file) if file.option("padding") == 0 else None,
        lambda file, inputs: [_flipped(inputs[0]), *inputs[1:]] if file.option("padding") == 0 else inputs,
        lambda file, inputs, outputs: [_flipped(outputs[0])] if file.option("padding") == 0 else outputs,
    ),
)
swaps_strides = defective("swaps_strides", Defect(WINDOWED, _swap_strides, answer=_in_shape))
ignores_activation = defective("ignores_activation", Defect((*WINDOWED, *ARITHMETIC), _forget_activation))
scale_of_channel_0 = defective("scale_of_channel_0", Defect(CONVOLUTIONS, _first_scale))
broadcasts_only_scalars = defective("broadcasts_only_scalars", Defect(ARITHMETIC, feed=_one_number))
keeps_state = defective("keeps_state", Defect(("CONV_2D", "MEAN"), wrap=lambda r, m, session: Leaky(session)))
loses_state = defective(
    "loses_state", Defect(("SVDF", "VAR_HANDLE"), wrap=lambda runtime, model, s: Reopening(runtime, [model]))
)
nondeterministic = defective("nondeterministic", Defect(("LOGISTIC", "EXP"), answer=Moody(Random(0)).answer))
batch_only_first = defective("batch_only_first", Defect((*WINDOWED, "SOFTMAX"), answer=_first_batch))
nan_to_zero = defective("nan_to_zero", Defect(MOVING, feed=_no_nan))
truncates = defective("truncates", Defect(("QUANTIZE",), feed=_truncated))
mirrors_negative_axes = defective("mirrors_negative_axes", Defect(("ARG_MAX",), answer=_mirrored_axis))
last_maximum = defective("last_maximum", Defect(("ARG_MAX",), feed=_reversed_along, answer=_counted_back))
late_start = defective("late_start", Defect(("STRIDED_SLICE",), answer=_late_start))
repeats_random = defective(
    "repeats_random", Defect(("RANDOM_UNIFORM",), wrap=lambda runtime, model, s: Reopening(runtime, [model]))
)
biased_random = defective("biased_random", Defect(("RANDOM_UNIFORM",), answer=lambda f, i, o: [o[0] * np.float32(0.9)]))
scribbles_on_weights = defective(
    "scribbles_on_weights", Defect(("CONV_2D",), wrap=lambda r, model, s: Reopening(r, [model], _scribble))
)
