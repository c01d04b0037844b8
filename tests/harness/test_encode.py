"""Cases as .tflite files: read back by another reader of the format, and executed by the real LiteRT."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

from opconform.harness.encode import encode_case
from opconform.harness.generate.build import build
from opconform.harness.generate.cases import Built, Request
from opconform.harness.generate.source import Discard, seeded
from opconform.harness.model import DTYPES
from opconform.harness.runner import load_oracle
from opconform.harness.spec import OpSpec
from opconform.harness.spec_load import load_all


@pytest.fixture(scope="module")
def specs() -> dict[str, OpSpec]:
    return dict(load_all())


def some(spec: OpSpec, row: str, count: int) -> Iterator[Built]:
    kernel = load_oracle().kernels[spec.op]
    for number in range(200):
        try:
            yield build(spec, row, seeded([5, number]), kernel, Request(vectors=1))
        except Discard:
            continue
        count -= 1
        if not count:
            return


@pytest.mark.parametrize(("op", "row"), [("CONV_2D", "int8"), ("ADD", "float32"), ("SVDF", "int8"), ("PAD", "float32")])
def test_a_file_holds_the_tensors_and_the_op_of_its_case(specs: dict[str, OpSpec], op: str, row: str) -> None:
    for built in some(specs[op], row, 3):
        case, model = built.case, schema.Model.GetRootAsModel(encode_case(specs[op], built.case), 0)
        graph = model.Subgraphs(0)
        code = model.OperatorCodes(graph.Operators(0).OpcodeIndex())
        assert max(code.BuiltinCode(), code.DeprecatedBuiltinCode()) == getattr(schema.BuiltinOperator, op)
        tensors = {graph.Tensors(n).Name().decode(): graph.Tensors(n) for n in range(graph.TensorsLength())}
        for slot in case.inputs:
            if slot.role == "absent":
                continue
            found = tensors[slot.tensor.name]
            assert found.Type() == DTYPES[slot.tensor.dtype][1]
            assert [found.Shape(n) for n in range(found.ShapeLength())] == list(slot.tensor.shape)
            if slot.tensor.quant is not None:
                scales = np.atleast_1d(found.Quantization().ScaleAsNumpy())
                assert np.array_equal(scales, np.asarray(slot.tensor.quant.scale, dtype=np.float32))
            if slot.data is not None:
                raw = model.Buffers(found.Buffer()).DataAsNumpy()
                assert slot.data.size == 0 or raw.tobytes() == slot.data.tobytes()
        assert graph.InputsLength() == sum(slot.role == "input" for slot in case.inputs)


def test_attributes_stand_in_the_option_table(specs: dict[str, OpSpec]) -> None:
    for built in some(specs["CONV_2D"], "float32", 5):
        model = schema.Model.GetRootAsModel(encode_case(specs["CONV_2D"], built.case), 0)
        options = schema.Conv2DOptions()
        table = model.Subgraphs(0).Operators(0).BuiltinOptions()
        options.Init(table.Bytes, table.Pos)
        wanted = built.case.attributes
        assert (options.StrideH(), options.StrideW()) == (wanted["stride_h"], wanted["stride_w"])
        assert (options.DilationHFactor(), options.DilationWFactor()) == (wanted["dilation_h"], wanted["dilation_w"])
        assert options.Padding() == ("SAME", "VALID").index(wanted["padding"])


@pytest.mark.parametrize(
    ("op", "row"), [("CONV_2D", "int8"), ("ADD", "float32"), ("WHILE", ""), ("RESHAPE", "float32")]
)
def test_the_real_litert_allocates_a_file_with_the_shapes_of_the_case(
    specs: dict[str, OpSpec], op: str, row: str
) -> None:
    for built in some(specs[op], row or specs[op].rows[0], 2):
        interpreter = Interpreter(model_content=encode_case(specs[op], built.case))
        interpreter.allocate_tensors()
        for found, array in zip(interpreter.get_input_details(), built.case.vectors[0], strict=True):
            assert list(found["shape"]) == list(array.shape)
            assert found["dtype"] == array.dtype
            interpreter.set_tensor(found["index"], array)
        interpreter.invoke()
        for found, tensor in zip(interpreter.get_output_details(), built.case.outputs, strict=True):
            assert interpreter.get_tensor(found["index"]).shape == tensor.shape


def test_the_same_case_gives_the_same_bytes(specs: dict[str, OpSpec]) -> None:
    built = next(some(specs["CONV_2D"], "int8", 1))
    assert encode_case(specs["CONV_2D"], built.case) == encode_case(specs["CONV_2D"], built.case)
