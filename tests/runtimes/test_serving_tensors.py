"""Tensors of the serving protocols: what bytes and JSON carry, and what JSON loses."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest

from opconform.harness.runtime import LostInTransport, Unsupported
from opconform.runtimes.serving import tensors
from opconform.runtimes.serving.tensors import BadAnswer, Described

SAMPLES: dict[str, list[Any]] = {
    "BOOL": [True, False],
    "UINT8": [0, 255],
    "UINT16": [0, 65535],
    "UINT32": [0, 2**32 - 1],
    "UINT64": [0, 2**64 - 1, 2**53 + 1],
    "INT8": [-128, 127],
    "INT16": [-32768, 32767],
    "INT32": [-(2**31), 2**31 - 1],
    "INT64": [-(2**63), 2**63 - 1, 2**53 + 1],
    "FP16": [0.1, 65504.0, 6e-8],
    "FP32": [0.1, 3.4028234663852886e38, 1e-45, -0.0],
    "FP64": [0.1, 1.7976931348623157e308, 5e-324],
    "BYTES": [b"abc", b"", b"\xff\x00z"],
}


def sample(datatype: str) -> Any:
    return np.array(SAMPLES[datatype], tensors.DATATYPES[datatype][0])


def there_and_back(array: Any, base64_strings: bool = False) -> Any:
    """Send an array through the text of JSON."""
    text = json.dumps(tensors.to_numbers("x", array, base64_strings))
    return tensors.from_numbers("x", tensors.datatype_of(array), array.shape, json.loads(text))


@pytest.mark.parametrize("datatype", tensors.DATATYPES)
def test_raw_bytes_carry_every_datatype_exactly(datatype: str) -> None:
    array = sample(datatype)
    back = tensors.from_raw("x", datatype, array.shape, tensors.to_raw(array))
    assert (back.dtype, back.shape, back.tobytes()) == (array.dtype, array.shape, array.tobytes())


@pytest.mark.parametrize("datatype", [name for name in tensors.DATATYPES if name != "BYTES"])
def test_json_carries_every_finite_number_exactly(datatype: str) -> None:
    array = sample(datatype)
    assert there_and_back(array).tobytes() == array.tobytes()


def test_raw_bytes_keep_the_payload_of_a_nan() -> None:
    array = np.array([0x7FA00001, 0xFFC00000], np.uint32).view(np.float32)
    assert tensors.from_raw("x", "FP32", (2,), tensors.to_raw(array)).tobytes() == array.tobytes()


def test_every_float32_survives_as_text_whether_long_or_shortest() -> None:
    bits = np.random.default_rng(0).integers(0, 2**32, 20_000, dtype=np.uint32)
    array = bits.view(np.float32)
    array = array[np.isfinite(array)]
    assert there_and_back(array).tobytes() == array.tobytes()
    shortest = [float(str(number)) for number in array]  # as a server would write it
    assert tensors.from_numbers("x", "FP32", array.shape, shortest).tobytes() == array.tobytes()


def test_a_nan_with_a_sign_or_a_payload_is_lost_before_it_is_sent() -> None:
    with pytest.raises(LostInTransport, match="JSON has one NaN, and 0xffc00000 is another"):
        tensors.to_numbers("x", np.array([0xFFC00000], np.uint32).view(np.float32), False)


def test_a_string_that_is_no_text_is_lost_in_v2_and_travels_as_base64_in_v1() -> None:
    array = np.array([b"\xff"], "S32")
    with pytest.raises(LostInTransport, match="is no UTF-8"):
        tensors.to_numbers("x", array, False)
    assert there_and_back(array, base64_strings=True).tolist() == [b"\xff"]


@pytest.mark.parametrize(
    ("datatype", "item", "words"),
    [
        ("FP32", None, "null: the server's JSON has no NaN"),
        ("FP32", 1e39, "beyond FP32"),
        ("FP16", 65536.0, "beyond FP16"),
        ("INT64", 9007199254740992.0, "an INT64 that came as a float"),
        ("INT8", 128, "INT8 ends at -128 and 127"),
    ],
)
def test_what_json_did_to_an_answer_is_named(datatype: str, item: Any, words: str) -> None:
    with pytest.raises(LostInTransport, match=words):
        tensors.from_numbers("y", datatype, (1,), [item])


def test_an_infinity_that_a_server_writes_is_no_loss() -> None:
    items = json.loads("[Infinity, -Infinity, NaN]")
    found = tensors.from_numbers("y", "FP32", (3,), items)
    assert (found[0], found[1], math.isnan(found[2])) == (np.inf, -np.inf, True)


@pytest.mark.parametrize(
    ("datatype", "items", "words"),
    [
        ("FP32", ["NaN"], "a number is needed"),
        ("FP32", [True], "a number is needed"),
        ("INT32", [True], "an integer is needed"),
        ("BOOL", [1], "true or false is needed"),
        ("INT32", [1, 2], "has 2 elements"),
        ("COMPLEX", [1], "datatype 'COMPLEX'"),
        ("BYTES", [{"b64": "?"}], "is no base64"),
        ("BYTES", [3], "a string is needed"),
    ],
)
def test_an_answer_that_breaks_the_protocol_is_refused(datatype: str, items: list[Any], words: str) -> None:
    with pytest.raises(BadAnswer, match=words):
        tensors.from_numbers("y", datatype, (1,), items)


@pytest.mark.parametrize("raw", [b"\1\2\3", b"", bytes(9)])
def test_raw_bytes_must_fill_the_shape(raw: bytes) -> None:
    with pytest.raises(BadAnswer, match=r"FP32 \[2\] takes 8"):
        tensors.from_raw("y", "FP32", (2,), raw)


@pytest.mark.parametrize("raw", [b"\1\0\0", b"\2\0\0\0a", b"\xff\xff\xff\xff"])
def test_raw_strings_must_end_where_the_bytes_do(raw: bytes) -> None:
    with pytest.raises(BadAnswer, match="output y"):
        tensors.from_raw("y", "BYTES", (1,), raw)


def test_a_dtype_that_the_protocols_lack_is_unsupported() -> None:
    with pytest.raises(Unsupported, match="no datatype for complex64"):
        tensors.datatype_of(np.zeros(1, np.complex64))


@pytest.mark.parametrize("shape", [(), (3,), (2, 1, 2), (0,), (2, 0)])
def test_lists_within_lists_come_back_with_their_shape(shape: tuple[int, ...]) -> None:
    items = list(range(math.prod(shape)))
    assert tensors.flattened("y", tensors.nested(items, shape), shape) == (items, shape)


def test_the_declared_shape_says_what_lists_cannot() -> None:
    assert tensors.flattened("y", [], (0, 3)) == ([], (0, 3))
    with pytest.raises(LostInTransport, match="lists do not say the shape"):
        tensors.flattened("y", [], (-1, -1))


@pytest.mark.parametrize("value", [[[1], [2, 3]], [[1], 2]])
def test_ragged_lists_are_refused(value: Any) -> None:
    with pytest.raises(BadAnswer, match="output y has"):
        tensors.flattened("y", value, (2,))


def test_a_description_takes_what_fits_it() -> None:
    slot = Described("x", "FP32", (-1, 2))
    assert slot.takes(np.zeros((5, 2), np.float32))
    assert not slot.takes(np.zeros((5, 3), np.float32))
    assert not slot.takes(np.zeros(2, np.float32))
    assert not slot.takes(np.zeros((5, 2), np.float64))
