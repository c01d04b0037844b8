"""The wire is what docs/wire.md says, and no bytes make its decoder do anything but answer or raise WireError."""

import contextlib
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from opconform.harness import wire
from opconform.harness.model import DTYPES

SENDABLE = [name for name in DTYPES if name != "resource"]


def test_a_frame_has_the_bytes_of_the_table() -> None:
    assert wire.encode_frame(wire.RUN, 0x01020304, b"123456789") == bytes.fromhex(
        "4f504331"  # magic OPC1
        "03 01 0000"  # kind, version, reserved
        "04030201"  # sequence
        "09000000"  # length
        "2639f4cb"  # 0xcbf43926, the check value of every catalogue of CRCs for these nine bytes
        "313233343536373839"
    )


def test_a_tensor_has_the_bytes_of_the_table() -> None:
    assert wire.encode_tensor(np.array([[1, -1, 2]], np.int8)) == bytes.fromhex(
        "09 02 0000  03000000  01000000 03000000  01ff02 00"
    )


def test_a_result_has_the_bytes_of_the_table() -> None:
    payload = wire.encode_result([np.array(True)], {"instructions": 0x1_0000_0002})
    assert payload == bytes.fromhex("0100 0100  0300 0000 02000000 01000000  06 00 0000 01000000 01 000000")
    outputs, meters = wire.decode_result(payload)
    assert meters == {"instructions": 0x1_0000_0002}
    assert outputs[0].shape == ()
    assert outputs[0]


def test_an_error_with_registers_has_the_bytes_of_the_table() -> None:
    payload = wire.encode_error(wire.Failure(wire.FAULT, "bad", {"exception": 3, "pc": 0x204}))
    assert payload == struct.pack("<HH3sx16I", 6, 3, b"bad", 3, 0, 0, 0, 0x204, *[0] * 11)
    assert wire.decode_error(payload).registers["pc"] == 0x204


def test_ready_and_opened_come_back_as_they_were_sent() -> None:
    ready = wire.Ready("micro@cortex-m0", 4096, 8192)
    assert wire.decode_ready(wire.encode_ready(ready)) == ready
    inputs = (wire.Descriptor("int8", (2, 3)), wire.Descriptor("bool", ()))
    for opened in (wire.Opened(inputs, (wire.Descriptor("int64", None),), 640), wire.Opened(None, (), 0)):
        assert wire.decode_opened(wire.encode_opened(opened)) == opened


@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_tensors_of_every_dtype_and_shape_survive_the_trip(data: st.DataObject) -> None:
    dtype = DTYPES[data.draw(st.sampled_from(SENDABLE))][0]
    shapes = hnp.array_shapes(min_dims=0, max_dims=6, min_side=0, max_side=3)
    # hypothesis knows no bfloat16: its bits are as good.
    drawn = np.dtype(np.uint16) if dtype == DTYPES["bfloat16"][0] else dtype
    arrays = [array.view(dtype) for array in data.draw(st.lists(hnp.arrays(drawn, shapes), max_size=3))]
    for sent, received in zip(arrays, wire.decode_run(wire.encode_run(arrays)), strict=True):
        assert (received.dtype, received.shape, received.tobytes()) == (sent.dtype, sent.shape, sent.tobytes())
        assert received.flags.aligned


def test_a_tensor_that_is_not_contiguous_is_sent_row_major() -> None:
    array = np.arange(6, dtype=np.int32).reshape(2, 3).T
    assert np.array_equal(wire.decode_run(wire.encode_run([array]))[0], array)


def test_received_tensors_cannot_be_written() -> None:
    (array,) = wire.decode_run(wire.encode_run([np.zeros(3, np.float32)]))
    assert not array.flags.writeable


@pytest.mark.parametrize("dtype", [np.complex128, ">f4", "S3", object])
def test_a_dtype_that_does_not_travel_is_named(dtype: object) -> None:
    with pytest.raises(wire.WireError, match=r"tensor of dtype .*, allowed are float32"):
        wire.encode_tensor(np.zeros(2, dtype))  # type: ignore[call-overload]


GOOD = wire.encode_frame(wire.RUN, 7, wire.encode_run([np.ones((2, 3), np.float32)]))


def changed(at: int, value: bytes, recount: bool = False) -> bytes:
    data = GOOD[:at] + value + GOOD[at + len(value) :]
    return data[:16] + struct.pack("<I", zlib.crc32(data[20:])) + data[20:] if recount else data


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        (changed(0, b"H"), "no frame begins with"),
        (changed(4, b"\x09"), "kind 9, allowed are"),
        (changed(5, b"\x02"), "version 2, 1 is allowed"),
        (changed(6, b"\x01"), "reserved field is 1, 0 is allowed"),
        (changed(12, b"\xff\xff\xff\xff"), "4294967295 bytes of payload, 16777216 are allowed"),
        (changed(16, b"\0\0\0\0"), "CRC is 0x"),
        (GOOD[:-1], "bytes of payload, its header says"),
        (GOOD[:10], "frame of 10 bytes, 20 are the least"),
    ],
)
def test_a_spoilt_frame_is_refused_with_what_was_found(frame: bytes, words: str) -> None:
    with pytest.raises(wire.WireError, match=words):
        wire.decode_frame(frame)


@pytest.mark.parametrize(
    ("at", "value", "words"),
    [
        (20, b"\x02\0", "RUN tensor 1 begins at byte 44, the payload has 44"),
        (20, b"\0\0", "RUN has 44 bytes, its fields take 4"),
        (22, b"\x01\0", "RUN has flags 1, 0 is allowed"),
        (24, b"\x63", "dtype code 99, allowed are"),
        (24, b"\x0d", "dtype code 13, allowed are"),
        (25, b"\xff", "rank 255"),
        (26, b"\x01", "reserved 1"),
        (28, b"\x14", r"20 bytes, float32 \[2, 3\] takes 24"),
        (32, b"\xff\xff\xff\xff", "takes 51539607540"),
        (24, b"\x06\x02\0\0\x06", r"bool byte 128, 0 and 1 are allowed|its fields take"),
    ],
)
def test_a_spoilt_tensor_is_refused_with_what_was_found(at: int, value: bytes, words: str) -> None:
    with pytest.raises(wire.WireError, match=words):
        wire.decode_run(wire.decode_frame(changed(at, value, recount=True)).payload)


def test_a_bool_that_is_neither_0_nor_1_is_refused() -> None:
    payload = bytes.fromhex("0100 0000  06 01 0000 02000000 02000000 01ff 0000")
    with pytest.raises(wire.WireError, match="RUN tensor 0 holds a bool byte 255, 0 and 1 are allowed"):
        wire.decode_run(payload)


def test_dimensions_that_overflow_are_refused_even_if_one_is_zero() -> None:
    payload = struct.pack("<HHBBHI4I", 1, 0, 0, 4, 0, 0, 0, *[0xFFFFFFFF] * 3)
    with pytest.raises(wire.WireError, match="has dimensions"):
        wire.decode_run(payload)


DECODERS = (wire.decode_run, wire.decode_result, wire.decode_ready, wire.decode_opened, wire.decode_error)


@given(payload=st.binary(max_size=80), spoil=st.lists(st.tuples(st.integers(0, 200), st.integers(0, 255)), max_size=4))
@settings(max_examples=400, deadline=None)
def test_no_bytes_make_a_decoder_raise_anything_but_wire_errors(payload: bytes, spoil: list[tuple[int, int]]) -> None:
    valid = wire.encode_result([np.ones((2, 3), np.float32), np.zeros(3, np.bool_)], {"stack": 4})
    bent = bytearray(valid)
    for at, value in spoil:
        bent[at % len(bent)] = value
    for decode in DECODERS:
        for data in (payload, bytes(bent), valid[: len(payload)]):
            with contextlib.suppress(wire.WireError):
                decode(data)


@given(cuts=st.lists(st.integers(1, 30), min_size=1, max_size=20))
@settings(max_examples=50, deadline=None)
def test_the_reader_finds_the_same_frames_however_the_stream_is_cut(cuts: list[int]) -> None:
    frames = [wire.encode_frame(wire.OPEN, index, b"x" * index * 7) for index in range(5)]
    stream, reader, found = b"".join(frames), wire.FrameReader(), []
    while stream:
        size = cuts[len(found) % len(cuts)]
        reader.feed(stream[:size])
        found += list(reader)
        stream = stream[size:]
    assert found == frames
    assert reader.pending == b""


def test_the_reader_refuses_garbage_before_a_whole_header_came() -> None:
    reader = wire.FrameReader()
    reader.feed(b"Segm")
    with pytest.raises(wire.WireError, match="no frame begins with b'Segm'"):
        reader.next()


def test_the_reader_waits_while_a_frame_may_still_begin() -> None:
    reader = wire.FrameReader()
    reader.feed(b"OP")
    assert reader.next() is None
