"""The wire worker in C against docs/wire.md, as a process of its own."""

from __future__ import annotations

import struct
import subprocess
from collections.abc import Iterator

import numpy as np
import pytest

from opconform.harness import wire
from opconform.harness.flatmodel import Graph, Node, TensorDef, write_model
from opconform.harness.model import Array
from opconform.runtimes.micro import build

Process = subprocess.Popen[bytes]


def model() -> bytes:
    tensors = (
        TensorDef("x", "float32", (2, 3)),
        TensorDef("v", "float32", (2, 3), variable=True),
        TensorDef("y", "float32", (2, 3)),
    )
    return write_model([Graph(tensors, (Node("ADD", (0, 1), (2,)),), (0,), (2,))])


@pytest.fixture
def process() -> Iterator[Process]:
    with subprocess.Popen([build.build("worker", "host-asan")], stdin=-1, stdout=-1) as worker:
        yield worker
        worker.kill()


def send(worker: Process, data: bytes) -> None:
    assert worker.stdin is not None
    worker.stdin.write(data)
    worker.stdin.flush()


def receive(worker: Process) -> wire.Frame:
    assert worker.stdout is not None
    header = worker.stdout.read(wire.HEADER.size)
    return wire.decode_frame(header + worker.stdout.read(wire.payload_length(header)))


def ask(worker: Process, kind: int, payload: bytes = b"", sequence: int = 1) -> wire.Frame:
    send(worker, wire.encode_frame(kind, sequence, payload))
    answer = receive(worker)
    assert answer.sequence == sequence
    return answer


def failure(frame: wire.Frame) -> tuple[int, str]:
    assert frame.kind == wire.ERROR, frame
    error = wire.decode_error(frame.payload)
    return error.code, error.text


def ones(shape: tuple[int, ...] = (2, 3), dtype: type = np.float32) -> Array:
    return np.ones(shape, dtype)


def test_hello_is_answered_with_name_and_limits(process: Process) -> None:
    ready = wire.decode_ready(ask(process, wire.HELLO).payload)
    assert ready.name == "opconform-micro"
    assert ready.largest == 16 << 20


def test_a_model_is_opened_described_and_run(process: Process) -> None:
    opened = wire.decode_opened(ask(process, wire.OPEN, model()).payload)
    assert opened.inputs is not None
    assert opened.inputs[0].shape == (2, 3)
    assert opened.arena > 0
    outputs, meters = wire.decode_result(ask(process, wire.RUN, wire.encode_run([ones()])).payload)
    np.testing.assert_array_equal(outputs[0], ones())
    assert meters == {"arena": opened.arena, "scratch": 0}


def test_frames_may_be_sent_ahead_and_are_answered_in_order(process: Process) -> None:
    runs = [wire.encode_frame(wire.RUN, 10 + i, wire.encode_run([ones() * i])) for i in range(50)]
    send(process, wire.encode_frame(wire.OPEN, 9, model()) + b"".join(runs))
    assert receive(process).kind == wire.OPENED
    for i in range(50):
        answer = receive(process)
        assert answer.sequence == 10 + i
        assert wire.decode_result(answer.payload)[0][0][0, 0] == i


def test_a_wrong_crc_is_a_bad_frame_and_the_next_frame_counts(process: Process) -> None:
    ask(process, wire.OPEN, model())
    frame = bytearray(wire.encode_frame(wire.RUN, 2, wire.encode_run([ones()])))
    frame[-1] ^= 1
    send(process, bytes(frame))
    assert failure(receive(process))[0] == 8
    assert ask(process, wire.RUN, wire.encode_run([ones()])).kind == wire.RESULT


def test_noise_is_one_bad_frame_and_the_next_magic_counts(process: Process) -> None:
    send(process, b"noise of some length, longer than a header" + wire.encode_frame(wire.HELLO, 5))
    assert failure(receive(process))[0] == 8
    assert receive(process).kind == wire.READY


@pytest.mark.parametrize(("at", "value"), [(5, 2), (15, 0xFF)])
def test_a_wrong_version_or_length_is_a_bad_frame(process: Process, at: int, value: int) -> None:
    frame = bytearray(wire.encode_frame(wire.HELLO, 5))
    frame[at] = value
    send(process, bytes(frame) + wire.encode_frame(wire.HELLO, 6))
    assert failure(receive(process))[0] == 8
    assert receive(process).sequence == 6


def test_an_unknown_kind_is_a_bad_frame(process: Process) -> None:
    send(process, wire.encode_frame(wire.HELLO, 5).replace(b"OPC1\x01", b"OPC1\x63"))
    assert failure(receive(process)) == (8, "unknown kind of frame")


@pytest.mark.parametrize(
    ("inputs", "text"),
    [
        ([], "the number of inputs is not the model's"),
        ([ones(), ones()], "the number of inputs is not the model's"),
        ([ones(dtype=np.int32)], "an input has another type or rank than the model's"),
        ([ones((6,))], "an input has another type or rank than the model's"),
        ([ones((3, 2))], "an input has another shape than the model's"),
    ],
)
def test_inputs_that_do_not_fit_are_refused_and_the_model_stays_open(
    process: Process, inputs: list[Array], text: str
) -> None:
    ask(process, wire.OPEN, model())
    assert failure(ask(process, wire.RUN, wire.encode_run(inputs))) == (3, text)
    assert ask(process, wire.RUN, wire.encode_run([ones()])).kind == wire.RESULT


@pytest.mark.parametrize("cut", [1, 3, 5, 13, 20, 30])
def test_a_run_that_ends_too_early_is_refused(process: Process, cut: int) -> None:
    ask(process, wire.OPEN, model())
    assert failure(ask(process, wire.RUN, wire.encode_run([ones()])[:cut]))[0] == 3
    assert failure(ask(process, wire.RUN, wire.encode_run([ones()]) + bytes(4))) == (3, "bytes behind the last input")


def test_a_run_without_a_model_is_refused(process: Process) -> None:
    assert failure(ask(process, wire.RUN, wire.encode_run([ones()]))) == (3, "no model is open")
    ask(process, wire.OPEN, model())
    assert ask(process, wire.CLOSE).kind == wire.CLOSED
    assert failure(ask(process, wire.RUN, wire.encode_run([ones()]))) == (3, "no model is open")


def test_after_a_model_that_is_refused_none_is_open(process: Process) -> None:
    ask(process, wire.OPEN, model())
    assert failure(ask(process, wire.OPEN, b"TFL3" * 9))[0] == 2
    assert failure(ask(process, wire.RUN, wire.encode_run([ones()]))) == (3, "no model is open")


def test_bye_ends_the_worker_with_status_0_and_silence_with_1(process: Process) -> None:
    assert ask(process, wire.BYE).kind == wire.GONE
    assert process.wait(10) == 0
    done = subprocess.run([build.build("worker", "host-asan")], input=b"", capture_output=True, check=False)
    assert done.returncode == 1
    assert done.stdout == b""


def test_an_empty_payload_has_the_crc_of_nothing(process: Process) -> None:
    send(process, struct.pack("<4sBBHIII", b"OPC1", wire.HELLO, 1, 0, 7, 0, 0))
    assert receive(process).kind == wire.READY
