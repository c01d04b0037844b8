"""What a .tflite file is made of, as data: builtin codes, option tables, field slots.

Facts of the public TFLite schema (file identifier TFL3, version 3), limited to what
opconform writes and reads. Names of option fields are the attribute names of the specs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

FILE_IDENTIFIER = b"TFL3"
SCHEMA_VERSION = 3

PADDINGS = ("SAME", "VALID")
ACTIVATIONS = ("NONE", "RELU", "RELU_N1_TO_1", "RELU6", "TANH", "SIGN_BIT")


@dataclass(frozen=True, slots=True)
class Field:
    """One scalar, string or vector field of an option table.

    `kind` is int8, int32, int64, bool, float32, enum:<names>, dtype, string, int32s or
    subgraph; `default` is what a reader assumes when the field is not stored.
    """

    slot: int
    kind: str
    default: float | int | str = 0


@dataclass(frozen=True, slots=True)
class Options:
    """One table of the BuiltinOptions union: its type code and its fields by name."""

    code: int
    fields: Mapping[str, Field]


_ACTIVATION = "enum:activation"
_PADDING = "enum:padding"


def _fields(**slots: tuple[int, str] | tuple[int, str, int]) -> Mapping[str, Field]:
    return {name: Field(*slot) for name, slot in slots.items()}


def _activation_only() -> Mapping[str, Field]:
    return _fields(activation=(0, _ACTIVATION))


OPTIONS: Mapping[str, Options] = {
    "Conv2DOptions": Options(
        1,
        _fields(
            padding=(0, _PADDING),
            stride_w=(1, "int32"),
            stride_h=(2, "int32"),
            activation=(3, _ACTIVATION),
            dilation_w=(4, "int32", 1),
            dilation_h=(5, "int32", 1),
            quantized_bias_type=(6, "dtype"),
        ),
    ),
    "DepthwiseConv2DOptions": Options(
        2,
        _fields(
            padding=(0, _PADDING),
            stride_w=(1, "int32"),
            stride_h=(2, "int32"),
            depth_multiplier=(3, "int32"),
            activation=(4, _ACTIVATION),
            dilation_w=(5, "int32", 1),
            dilation_h=(6, "int32", 1),
        ),
    ),
    "Pool2DOptions": Options(
        5,
        _fields(
            padding=(0, _PADDING),
            stride_w=(1, "int32"),
            stride_h=(2, "int32"),
            filter_w=(3, "int32"),
            filter_h=(4, "int32"),
            activation=(5, _ACTIVATION),
        ),
    ),
    "SVDFOptions": Options(6, _fields(rank=(0, "int32"), activation=(1, _ACTIVATION))),
    "FullyConnectedOptions": Options(
        8,
        _fields(
            activation=(0, _ACTIVATION),
            weights_format=(1, "int8"),
            keep_num_dims=(2, "bool"),
            asymmetric_quantize_inputs=(3, "bool"),
            quantized_bias_type=(4, "dtype"),
        ),
    ),
    "SoftmaxOptions": Options(9, _fields(beta=(0, "float32"))),
    "ConcatenationOptions": Options(10, _fields(axis=(0, "int32"), activation=(1, _ACTIVATION))),
    "AddOptions": Options(11, _fields(activation=(0, _ACTIVATION), pot_scale_int16=(1, "bool", 1))),
    "L2NormOptions": Options(12, _activation_only()),
    "ResizeBilinearOptions": Options(15, _fields(align_corners=(2, "bool"), half_pixel_centers=(3, "bool"))),
    "ReshapeOptions": Options(17, _fields(new_shape=(0, "int32s"))),
    "MulOptions": Options(21, _activation_only()),
    "PadOptions": Options(22, {}),
    "GatherOptions": Options(23, _fields(axis=(0, "int32"), batch_dims=(1, "int32"))),
    "ReducerOptions": Options(27, _fields(keep_dims=(0, "bool"))),
    "SubOptions": Options(28, _fields(activation=(0, _ACTIVATION), pot_scale_int16=(1, "bool", 1))),
    "DivOptions": Options(29, _activation_only()),
    "StridedSliceOptions": Options(
        32,
        _fields(
            begin_mask=(0, "int32"),
            end_mask=(1, "int32"),
            ellipsis_mask=(2, "int32"),
            new_axis_mask=(3, "int32"),
            shrink_axis_mask=(4, "int32"),
            offset=(5, "bool"),
        ),
    ),
    "ExpOptions": Options(33, {}),
    "DequantizeOptions": Options(38, {}),
    "ArgMaxOptions": Options(40, _fields(output_type=(0, "dtype"))),
    "LessOptions": Options(41, {}),
    "AbsOptions": Options(78, {}),
    "WhereOptions": Options(85, {}),
    "QuantizeOptions": Options(89, {}),
    "HardSwishOptions": Options(91, {}),
    "WhileOptions": Options(93, _fields(cond=(0, "subgraph"), body=(1, "subgraph"))),
    "SelectV2Options": Options(98, {}),
    "VarHandleOptions": Options(111, _fields(container=(0, "string"), shared_name=(1, "string"))),
    "ReadVariableOptions": Options(112, {}),
    "AssignVariableOptions": Options(113, {}),
    "RandomOptions": Options(114, _fields(seed=(0, "int64"), seed2=(1, "int64"))),
}

#: op -> (builtin code, option table or "")
OPS: Mapping[str, tuple[int, str]] = {
    "ADD": (0, "AddOptions"),
    "AVERAGE_POOL_2D": (1, "Pool2DOptions"),
    "CONCATENATION": (2, "ConcatenationOptions"),
    "CONV_2D": (3, "Conv2DOptions"),
    "DEPTHWISE_CONV_2D": (4, "DepthwiseConv2DOptions"),
    "DEQUANTIZE": (6, "DequantizeOptions"),
    "FULLY_CONNECTED": (9, "FullyConnectedOptions"),
    "L2_NORMALIZATION": (11, "L2NormOptions"),
    "LOGISTIC": (14, ""),
    "MAX_POOL_2D": (17, "Pool2DOptions"),
    "MUL": (18, "MulOptions"),
    "RESHAPE": (22, "ReshapeOptions"),
    "RESIZE_BILINEAR": (23, "ResizeBilinearOptions"),
    "SOFTMAX": (25, "SoftmaxOptions"),
    "SVDF": (27, "SVDFOptions"),
    "TANH": (28, ""),
    "PAD": (34, "PadOptions"),
    "GATHER": (36, "GatherOptions"),
    "MEAN": (40, "ReducerOptions"),
    "SUB": (41, "SubOptions"),
    "DIV": (42, "DivOptions"),
    "STRIDED_SLICE": (45, "StridedSliceOptions"),
    "EXP": (47, "ExpOptions"),
    "ARG_MAX": (56, "ArgMaxOptions"),
    "LESS": (58, "LessOptions"),
    "RSQRT": (76, ""),
    "ABS": (101, "AbsOptions"),
    "WHERE": (109, "WhereOptions"),
    "QUANTIZE": (114, "QuantizeOptions"),
    "HARD_SWISH": (117, "HardSwishOptions"),
    "WHILE": (119, "WhileOptions"),
    "SELECT_V2": (123, "SelectV2Options"),
    "VAR_HANDLE": (142, "VarHandleOptions"),
    "READ_VARIABLE": (143, "ReadVariableOptions"),
    "ASSIGN_VARIABLE": (144, "AssignVariableOptions"),
    "RANDOM_UNIFORM": (148, "RandomOptions"),
}
CODE_TO_OP: Mapping[int, str] = {code: name for name, (code, _) in OPS.items()}

#: slots of the tables around the operators
MODEL = {"version": 0, "operator_codes": 1, "subgraphs": 2, "description": 3, "buffers": 4}
OPERATOR_CODE = {"deprecated_builtin_code": 0, "custom_code": 1, "version": 2, "builtin_code": 3}
SUBGRAPH = {"tensors": 0, "inputs": 1, "outputs": 2, "operators": 3, "name": 4}
TENSOR = {
    "shape": 0,
    "type": 1,
    "buffer": 2,
    "name": 3,
    "quantization": 4,
    "is_variable": 5,
    "sparsity": 6,
    "shape_signature": 7,
    "has_rank": 8,
}
QUANTIZATION = {"min": 0, "max": 1, "scale": 2, "zero_point": 3, "details_type": 4, "quantized_dimension": 6}
OPERATOR = {
    "opcode_index": 0,
    "inputs": 1,
    "outputs": 2,
    "options_type": 3,
    "options": 4,
    "custom_options": 5,
    "intermediates": 8,
}
BUFFER = {"data": 0, "offset": 1, "size": 2}
