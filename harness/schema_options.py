"""The option tables of the operators: the code of each in its union, and its fields by name.

Facts of the public TFLite schema. Names of fields are the attribute names of the specs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

#: What a field of kind `enum:<name>` (one byte) or `enum32:<name>` (four) counts, from zero.
ENUMS: Mapping[str, tuple[str, ...]] = {
    "padding": ("SAME", "VALID"),
    "activation": ("NONE", "RELU", "RELU_N1_TO_1", "RELU6", "TANH", "SIGN_BIT"),
    "mirror_pad": ("REFLECT", "SYMMETRIC"),
    "lsh_projection": ("UNKNOWN", "SPARSE", "DENSE"),
    "lstm_kernel": ("FULL", "BASIC"),
    "combiner": ("SUM", "MEAN", "SQRTN"),
    "reduce_window": ("UNSUPPORTED", "ADD", "MUL", "MINIMUM", "MAXIMUM", "ALL", "ANY"),
}


@dataclass(frozen=True, slots=True)
class Field:
    """One scalar, string or vector field of an option table.

    `kind` is int8, int32, int64, bool, float32, enum:<name>, enum32:<name>, dtype, string, int32s,
    float32s or subgraph; `default` is what a reader assumes when the field is not stored.
    """

    slot: int
    kind: str
    default: float | int | str = 0


@dataclass(frozen=True, slots=True)
class Options:
    """One table of a union of options: its type code, its fields by name, and which of the two unions holds it."""

    code: int
    fields: Mapping[str, Field]
    union: int = 1


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
    "LSHProjectionOptions": Options(4, _fields(type=(0, "enum:lsh_projection"))),
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
    "SVDFOptions": Options(
        6, _fields(rank=(0, "int32"), activation=(1, _ACTIVATION), asymmetric_quantize_inputs=(2, "bool"))
    ),
    "RNNOptions": Options(7, _fields(activation=(0, _ACTIVATION), asymmetric_quantize_inputs=(1, "bool"))),
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
    "LocalResponseNormalizationOptions": Options(
        13, _fields(radius=(0, "int32"), bias=(1, "float32"), alpha=(2, "float32"), beta=(3, "float32"))
    ),
    "LSTMOptions": Options(
        14,
        _fields(
            activation=(0, _ACTIVATION),
            cell_clip=(1, "float32"),
            proj_clip=(2, "float32"),
            kernel_type=(3, "enum:lstm_kernel"),
            asymmetric_quantize_inputs=(4, "bool"),
        ),
    ),
    "ResizeBilinearOptions": Options(15, _fields(align_corners=(2, "bool"), half_pixel_centers=(3, "bool"))),
    "ReshapeOptions": Options(17, _fields(new_shape=(0, "int32s"))),
    "SkipGramOptions": Options(
        18, _fields(ngram_size=(0, "int32"), max_skip_size=(1, "int32"), include_all_ngrams=(2, "bool"))
    ),
    "SpaceToDepthOptions": Options(19, _fields(block_size=(0, "int32"))),
    "EmbeddingLookupSparseOptions": Options(20, _fields(combiner=(0, "enum:combiner"))),
    "MulOptions": Options(21, _activation_only()),
    "PadOptions": Options(22, {}),
    "GatherOptions": Options(23, _fields(axis=(0, "int32"), batch_dims=(1, "int32"))),
    "BatchToSpaceNDOptions": Options(24, {}),
    "SpaceToBatchNDOptions": Options(25, {}),
    "TransposeOptions": Options(26, {}),
    "ReducerOptions": Options(27, _fields(keep_dims=(0, "bool"))),
    "SubOptions": Options(28, _fields(activation=(0, _ACTIVATION), pot_scale_int16=(1, "bool", 1))),
    "DivOptions": Options(29, _activation_only()),
    "SqueezeOptions": Options(30, _fields(squeeze_dims=(0, "int32s"))),
    "SequenceRNNOptions": Options(
        31, _fields(time_major=(0, "bool"), activation=(1, _ACTIVATION), asymmetric_quantize_inputs=(2, "bool"))
    ),
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
    "TopKV2Options": Options(34, {}),
    "SplitOptions": Options(35, _fields(num_splits=(0, "int32"))),
    "LogSoftmaxOptions": Options(36, {}),
    "CastOptions": Options(37, _fields(in_data_type=(0, "dtype"), out_data_type=(1, "dtype"))),
    "DequantizeOptions": Options(38, {}),
    "MaximumMinimumOptions": Options(39, {}),
    "ArgMaxOptions": Options(40, _fields(output_type=(0, "dtype"))),
    "LessOptions": Options(41, {}),
    "NegOptions": Options(42, {}),
    "PadV2Options": Options(43, {}),
    "GreaterOptions": Options(44, {}),
    "GreaterEqualOptions": Options(45, {}),
    "LessEqualOptions": Options(46, {}),
    "SelectOptions": Options(47, {}),
    "SliceOptions": Options(48, {}),
    "TransposeConvOptions": Options(
        49,
        _fields(
            padding=(0, _PADDING),
            stride_w=(1, "int32"),
            stride_h=(2, "int32"),
            activation=(3, _ACTIVATION),
            quantized_bias_type=(4, "dtype"),
        ),
    ),
    "SparseToDenseOptions": Options(50, _fields(validate_indices=(0, "bool"))),
    "TileOptions": Options(51, {}),
    "ExpandDimsOptions": Options(52, {}),
    "EqualOptions": Options(53, {}),
    "NotEqualOptions": Options(54, {}),
    "ShapeOptions": Options(55, _fields(out_type=(0, "dtype"))),
    "PowOptions": Options(56, {}),
    "ArgMinOptions": Options(57, _fields(output_type=(0, "dtype"))),
    "FakeQuantOptions": Options(
        58, _fields(min=(0, "float32"), max=(1, "float32"), num_bits=(2, "int32"), narrow_range=(3, "bool"))
    ),
    "PackOptions": Options(59, _fields(values_count=(0, "int32"), axis=(1, "int32"))),
    "LogicalOrOptions": Options(60, {}),
    "OneHotOptions": Options(61, _fields(axis=(0, "int32"))),
    "LogicalAndOptions": Options(62, {}),
    "LogicalNotOptions": Options(63, {}),
    "UnpackOptions": Options(64, _fields(num=(0, "int32"), axis=(1, "int32"))),
    "FloorDivOptions": Options(65, {}),
    "SquareOptions": Options(66, {}),
    "ZerosLikeOptions": Options(67, {}),
    "FillOptions": Options(68, {}),
    "BidirectionalSequenceLSTMOptions": Options(
        69,
        _fields(
            activation=(0, _ACTIVATION),
            cell_clip=(1, "float32"),
            proj_clip=(2, "float32"),
            merge_outputs=(3, "bool"),
            time_major=(4, "bool", 1),
            asymmetric_quantize_inputs=(5, "bool"),
        ),
    ),
    "BidirectionalSequenceRNNOptions": Options(
        70,
        _fields(
            time_major=(0, "bool"),
            activation=(1, _ACTIVATION),
            merge_outputs=(2, "bool"),
            asymmetric_quantize_inputs=(3, "bool"),
        ),
    ),
    "UnidirectionalSequenceLSTMOptions": Options(
        71,
        _fields(
            activation=(0, _ACTIVATION),
            cell_clip=(1, "float32"),
            proj_clip=(2, "float32"),
            time_major=(3, "bool"),
            asymmetric_quantize_inputs=(4, "bool"),
            diagonal_recurrent_tensors=(5, "bool"),
        ),
    ),
    "FloorModOptions": Options(72, {}),
    "RangeOptions": Options(73, {}),
    "ResizeNearestNeighborOptions": Options(74, _fields(align_corners=(0, "bool"), half_pixel_centers=(1, "bool"))),
    "LeakyReluOptions": Options(75, _fields(alpha=(0, "float32"))),
    "SquaredDifferenceOptions": Options(76, {}),
    "MirrorPadOptions": Options(77, _fields(mode=(0, "enum:mirror_pad"))),
    "AbsOptions": Options(78, {}),
    "SplitVOptions": Options(79, _fields(num_splits=(0, "int32"))),
    "UniqueOptions": Options(80, _fields(idx_out_type=(0, "dtype", 2))),
    "ReverseV2Options": Options(81, {}),
    "AddNOptions": Options(82, {}),
    "GatherNdOptions": Options(83, {}),
    "CosOptions": Options(84, {}),
    "WhereOptions": Options(85, {}),
    "RankOptions": Options(86, {}),
    "ReverseSequenceOptions": Options(87, _fields(seq_dim=(0, "int32"), batch_dim=(1, "int32"))),
    "MatrixDiagOptions": Options(88, {}),
    "QuantizeOptions": Options(89, {}),
    "MatrixSetDiagOptions": Options(90, {}),
    "HardSwishOptions": Options(91, {}),
    "IfOptions": Options(92, _fields(then_branch=(0, "subgraph"), else_branch=(1, "subgraph"))),
    "WhileOptions": Options(93, _fields(cond=(0, "subgraph"), body=(1, "subgraph"))),
    "DepthToSpaceOptions": Options(94, _fields(block_size=(0, "int32"))),
    "NonMaxSuppressionV4Options": Options(95, {}),
    "NonMaxSuppressionV5Options": Options(96, {}),
    "ScatterNdOptions": Options(97, {}),
    "SelectV2Options": Options(98, {}),
    "DensifyOptions": Options(99, {}),
    "SegmentSumOptions": Options(100, {}),
    "BatchMatMulOptions": Options(
        101, _fields(adj_x=(0, "bool"), adj_y=(1, "bool"), asymmetric_quantize_inputs=(2, "bool"))
    ),
    "CumsumOptions": Options(102, _fields(exclusive=(0, "bool"), reverse=(1, "bool"))),
    "CallOnceOptions": Options(103, _fields(init=(0, "subgraph"))),
    "BroadcastToOptions": Options(104, {}),
    "Rfft2dOptions": Options(105, {}),
    "Conv3DOptions": Options(
        106,
        _fields(
            padding=(0, _PADDING),
            stride_d=(1, "int32"),
            stride_w=(2, "int32"),
            stride_h=(3, "int32"),
            activation=(4, _ACTIVATION),
            dilation_d=(5, "int32", 1),
            dilation_w=(6, "int32", 1),
            dilation_h=(7, "int32", 1),
        ),
    ),
    "HashtableOptions": Options(107, _fields(table_id=(0, "int32"), key_dtype=(1, "dtype"), value_dtype=(2, "dtype"))),
    "HashtableFindOptions": Options(108, {}),
    "HashtableImportOptions": Options(109, {}),
    "HashtableSizeOptions": Options(110, {}),
    "VarHandleOptions": Options(111, _fields(container=(0, "string"), shared_name=(1, "string"))),
    "ReadVariableOptions": Options(112, {}),
    "AssignVariableOptions": Options(113, {}),
    "RandomOptions": Options(114, _fields(seed=(0, "int64"), seed2=(1, "int64"))),
    "BucketizeOptions": Options(115, _fields(boundaries=(0, "float32s"))),
    "GeluOptions": Options(116, _fields(approximate=(0, "bool"))),
    "DynamicUpdateSliceOptions": Options(117, {}),
    "UnsortedSegmentProdOptions": Options(118, {}),
    "UnsortedSegmentMaxOptions": Options(119, {}),
    "UnsortedSegmentMinOptions": Options(120, {}),
    "UnsortedSegmentSumOptions": Options(121, {}),
    "ATan2Options": Options(122, {}),
    "SignOptions": Options(123, {}),
    "BitcastOptions": Options(124, {}),
    "BitwiseXorOptions": Options(125, {}),
    "RightShiftOptions": Options(126, {}),
    "DilateOptions": Options(18, {}, union=2),
    "ReduceWindowOptions": Options(20, _fields(reduce_function=(0, "enum32:reduce_window")), union=2),
}
