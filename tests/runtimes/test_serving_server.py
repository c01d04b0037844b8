"""The project's own server: exact over bytes and gRPC, honest about JSON, and alive after whatever it is sent."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from opconform.harness import registry, serve_load
from opconform.harness.flatmodel import Graph, Node, TensorDef, write_model
from opconform.harness.isolate import InProcess
from opconform.harness.model import Array, Crashed, Declined, Lost, Produced, Rejected
from opconform.harness.spec_load import spec_folder
from opconform.runtimes.serving import Serving, local, tensors
from opconform.runtimes.serving.address import parse_address
from opconform.runtimes.serving.grpc_v2 import GrpcV2
from opconform.runtimes.serving.http import Http

DIGITS = spec_folder().parent / "models" / "digits_int8.tflite"
PROTOCOLS = ("v2-binary", "v2-json", "v1", "grpc")
EXACT = ("v2-binary", "grpc")
IMAGE = np.zeros((1, 64), np.int8)


def needed() -> None:
    """Skip where a package is missing; fail where OPCONFORM_REQUIRE_SERVING is set."""
    if lacking := local.missing_packages():
        if os.environ.get("OPCONFORM_REQUIRE_SERVING"):
            pytest.fail(lacking)
        pytest.skip(lacking)


@pytest.fixture(scope="module")
def server() -> Iterator[local.LocalServer]:
    needed()
    started = local.start([DIGITS], ["--most-bytes", "100000", "--most-models", "4"])
    yield started
    assert started.stop() == 0, "Ctrl-C is a clean end"


def at(server: local.LocalServer, protocol: str, options: str = "") -> str:
    return server.address(parse_address(protocol)).text + options


def reshape_model(dtype: str, count: int) -> bytes:
    parts = (TensorDef("x", dtype, (count,)), TensorDef("y", dtype, (1, count)))
    return write_model([Graph(parts, (Node("RESHAPE", (0,), (1,), {"new_shape": [1, count]}),), (0,), (1,))])


def answer(url: str, model: bytes, *vectors: Sequence[Array]) -> Any:
    executor = InProcess(Serving(url))
    try:
        return executor.execute(model, vectors)
    finally:
        executor.close()


def bits_of(outcome: Any) -> list[bytes]:
    assert isinstance(outcome, Produced), outcome
    return [output.tobytes() for outputs in outcome.outputs for output in outputs]


def lives(server: local.LocalServer) -> None:
    """Check that the server still answers, and rightly."""
    found = answer(at(server, "v2-binary", "?model=digits_int8"), DIGITS.read_bytes(), [image(DIGITS)])
    assert bits_of(found) == bits_of(
        InProcess(registry.resolve("lite").instantiate()).execute(DIGITS.read_bytes(), [[image(DIGITS)]])
    )


def image(file: Path) -> Array:
    from opconform.harness.flatread import random_inputs, read_model

    return random_inputs(read_model(file.read_bytes(), file.name), 1, 1)[0][0]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_whole_model_gives_what_it_gives_in_this_process(server: local.LocalServer, protocol: str) -> None:
    vectors = [[image(DIGITS)], [np.zeros_like(image(DIGITS))]]
    here = InProcess(registry.resolve("lite").instantiate()).execute(DIGITS.read_bytes(), vectors)
    assert bits_of(answer(at(server, protocol), DIGITS.read_bytes(), *vectors)) == bits_of(here)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("datatype", tensors.DATATYPES)
def test_every_datatype_comes_back_as_it_went(server: local.LocalServer, protocol: str, datatype: str) -> None:
    values: dict[str, Any] = {"b": [True, False], "S": [b"abc", b""], "f": [0.1, -0.0]}
    dtype = tensors.DATATYPES[datatype][0]
    most = [np.iinfo(dtype).max, np.iinfo(dtype).min] if dtype.kind in "iu" else values[dtype.kind]
    array = np.array(most, dtype)
    found = answer(at(server, protocol), reshape_model(tensors.DTYPE_NAMES[datatype], 2), [array])
    if (protocol, datatype) == ("v2-json", "FP16"):
        assert found == Lost("x is FP16, which v2 carries as bytes and not as JSON")
    else:
        assert bits_of(found) == [array.tobytes()]


@pytest.mark.parametrize("protocol", EXACT)
def test_bytes_and_grpc_carry_the_very_bits_of_a_nan(server: local.LocalServer, protocol: str) -> None:
    array = np.array([0x7FC00000, 0xFFC00001, 0x7FA00001, 0x7F800000, 0xFF800000, 1], np.uint32).view(np.float32)
    assert bits_of(answer(at(server, protocol), reshape_model("float32", 6), [array])) == [array.tobytes()]


@pytest.mark.parametrize(
    ("protocol", "words"), [("v1", "takes no NaN and no infinity in JSON"), ("v2-json", "output y holds null")]
)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_json_loses_what_is_no_number(server: local.LocalServer, protocol: str, words: str, value: float) -> None:
    found = answer(at(server, protocol), reshape_model("float32", 1), [np.array([value], np.float32)])
    assert isinstance(found, Lost)
    assert words in found.detail


def test_a_number_that_overflows_comes_back_as_null_from_v1_too(server: local.LocalServer) -> None:
    parts = tuple(TensorDef(name, "float32", (1,)) for name in "aby")
    doubles = write_model([Graph(parts, (Node("ADD", (0, 1), (2,)),), (0, 1), (2,))])
    most = np.array([3e38], np.float32)
    found = answer(at(server, "v1"), doubles, [most, most])
    assert found == Lost("output y holds null: the server's JSON has no NaN and no infinity")
    assert bits_of(answer(at(server, "grpc"), doubles, [most, most])) == [np.array([np.inf], np.float32).tobytes()]


def test_rows_of_v1_are_instances(server: local.LocalServer) -> None:
    found = answer(at(server, "v1", "?format=row"), DIGITS.read_bytes(), [image(DIGITS)])
    assert bits_of(found) == bits_of(answer(at(server, "v1"), DIGITS.read_bytes(), [image(DIGITS)]))


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_model_that_the_server_does_not_have_is_declined(server: local.LocalServer, protocol: str) -> None:
    found = answer(at(server, protocol, "?model=nobody"), DIGITS.read_bytes(), [IMAGE])
    assert isinstance(found, Declined)
    assert "the server has no model nobody" in found.why


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_what_is_no_model_is_refused(server: local.LocalServer, protocol: str) -> None:
    assert isinstance(answer(at(server, protocol), b"nonsense", [IMAGE]), Rejected)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("wrong", [np.zeros((1, 63), np.int8), np.zeros((1, 64), np.float32), np.zeros(64, np.int16)])
def test_inputs_that_do_not_fit_are_refused(server: local.LocalServer, protocol: str, wrong: Array) -> None:
    assert isinstance(answer(at(server, protocol), DIGITS.read_bytes(), [wrong]), Rejected)
    lives(server)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_model_too_large_for_a_request_is_declined(server: local.LocalServer, protocol: str) -> None:
    found = answer(at(server, protocol), DIGITS.read_bytes() + bytes(120_000), [IMAGE])
    assert isinstance(found, Declined)
    lives(server)


INFER, V1, LOAD = "/v2/models/digits_int8/infer", "/v1/models/digits_int8:predict", "/v2/repository/models/m/load"
RIGHT = {"name": "x", "shape": [1, 64], "datatype": "INT8", "data": [0] * 64}


def v2(**changed: Any) -> bytes:
    return json.dumps({"inputs": [RIGHT | changed]}).encode()


def binary(size: Any, raw: bytes, head: str = "") -> tuple[bytes, dict[str, str]]:
    entry = {key: value for key, value in RIGHT.items() if key != "data"} | {"parameters": {"binary_data_size": size}}
    text = json.dumps({"inputs": [entry]}).encode()
    kinds = {"content-type": "application/octet-stream", "inference-header-content-length": head or str(len(text))}
    return text + raw, kinds


JSON = {"content-type": "application/json"}
BAD_REQUESTS: dict[str, tuple[str, bytes, dict[str, str], int]] = {
    "v2 without JSON": (INFER, b"{no", JSON, 400),
    "v2 without inputs": (INFER, b"{}", JSON, 400),
    "v2 with a list": (INFER, b"[]", JSON, 400),
    "v2 of an unknown model": ("/v2/models/nobody/infer", v2(), JSON, 404),
    "v2 with another name": (INFER, v2(name="nobody"), JSON, 400),
    "v2 with another datatype": (INFER, v2(datatype="FP32"), JSON, 400),
    "v2 with a datatype that does not exist": (INFER, v2(datatype="FP7"), JSON, 400),
    "v2 with another shape": (INFER, v2(shape=[64]), JSON, 400),
    "v2 with a negative shape": (INFER, v2(shape=[-1, 64]), JSON, 400),
    "v2 with too few numbers": (INFER, v2(data=[0] * 63), JSON, 400),
    "v2 with a number too large": (INFER, v2(data=[128] + [0] * 63), JSON, 400),
    "v2 with a fraction": (INFER, v2(data=[0.5] + [0] * 63), JSON, 400),
    "v2 with text": (INFER, v2(data=["0"] * 64), JSON, 400),
    "v2 with null": (INFER, v2(data=[None] * 64), JSON, 400),
    "v2 with the input twice": (INFER, json.dumps({"inputs": [RIGHT, RIGHT]}).encode(), JSON, 400),
    "v2 with an output that is not there": (
        INFER, json.dumps({"inputs": [RIGHT], "outputs": [{"name": "nobody"}]}).encode(), JSON, 400,
    ),
    "bytes that are too few": (INFER, *binary(64, bytes(63)), 400),
    "bytes that are too many": (INFER, *binary(64, bytes(65)), 400),
    "bytes of another count": (INFER, *binary(32, bytes(32)), 400),
    "bytes of a negative count": (INFER, *binary(-1, bytes(64)), 400),
    "bytes of a count that is no number": (INFER, *binary("64", bytes(64)), 400),
    "a head that is longer than the body": (INFER, *binary(64, bytes(64), "99999"), 400),
    "a head whose length is no number": (INFER, *binary(64, bytes(64), "x"), 400),
    "a head that is cut": (INFER, *binary(64, bytes(64), "10"), 400),
    "v1 without JSON": (V1, b"{no", JSON, 400),
    "v1 with a list": (V1, b"[1]", JSON, 400),
    "v1 without inputs": (V1, b"{}", JSON, 400),
    "v1 with both forms": (V1, b'{"inputs": [], "instances": []}', JSON, 400),
    "v1 without instances": (V1, b'{"instances": []}', JSON, 400),
    "v1 with ragged lists": (V1, b'{"inputs": [[1], [1, 2]]}', JSON, 400),
    "v1 with another shape": (V1, b'{"inputs": [1, 2]}', JSON, 400),
    "v1 with an object": (V1, b'{"inputs": [[{"b64": "??"}]]}', JSON, 400),
    "v1 as text": (V1, b"hello", {"content-type": "text/plain"}, 400),
    "v1 of an unknown model": ("/v1/models/nobody:predict", b'{"inputs": []}', JSON, 404),
    "metadata of an unknown model": ("GET /v1/models/nobody/metadata", b"", {}, 404),
    "v2 metadata of an unknown model": ("GET /v2/models/nobody", b"", {}, 404),
    "a load without JSON": (LOAD, b"{no", JSON, 400),
    "a load with a list": (LOAD, b"[1]", JSON, 400),
    "a load without a file": (LOAD, b"{}", JSON, 404),
    "a load without base64": (LOAD, b'{"parameters": {"file:m": "??"}}', JSON, 400),
    "a load of two files": (LOAD, b'{"parameters": {"file:m": "", "file:n": ""}}', JSON, 400),
    "a load of no model": (LOAD, b'{"parameters": {"file:m": "AAAA"}}', JSON, 400),
    "an unload of nobody": ("/v2/repository/models/nobody/unload", b"", JSON, 404),
    "a path that is not there": ("/nowhere", b"", JSON, 404),
    "too much": (INFER, b" " * 100_001, JSON, 413),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_REQUESTS)
def test_a_bad_request_gets_its_status_in_one_line_and_the_server_lives(server: local.LocalServer, case: str) -> None:
    place, body, headers, status = BAD_REQUESTS[case]
    method, path = place.split() if " " in place else ("POST", place)
    http = Http(server.http)
    found = http.ask(method, path, body, headers)
    http.close()
    assert found.status == status, found.body
    assert "\n" not in found.words
    assert "Traceback" not in found.words
    lives(server)


def test_too_much_is_refused_although_no_length_announces_it(server: local.LocalServer) -> None:
    with socket.create_connection((server.http.host, server.http.port), 10) as plain:
        plain.sendall(f"POST {INFER} HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n".encode())
        plain.sendall(b"20000\r\n" + b" " * 0x20000 + b"\r\n0\r\n\r\n")
        assert plain.recv(100).startswith(b"HTTP/1.1 413")
    lives(server)


@pytest.mark.parametrize("which", ["http", "grpc"])
def test_bytes_of_no_protocol_at_all_leave_the_server_alive(server: local.LocalServer, which: str) -> None:
    address = getattr(server, which)
    with socket.create_connection((address.host, address.port), 10) as plain:
        plain.sendall(bytes(range(256)) * 8)
    lives(server)


GRPC_REQUESTS: dict[str, tuple[str, bytes, str]] = {
    "garbage": ("ModelInfer", b"\xff\xff\xff", "UNKNOWN"),
    "an unknown model": ("ModelInfer", b"\x0a\x06nobody", "NOT_FOUND"),
    "no inputs": ("ModelInfer", b"\x0a\x0bdigits_int8", "INVALID_ARGUMENT"),
    "an unknown method": ("Nothing", b"", "UNIMPLEMENTED"),
    "metadata of an unknown model": ("ModelMetadata", b"\x0a\x06nobody", "NOT_FOUND"),
    "a load without a file": ("RepositoryModelLoad", b"\x12\x06nobody", "NOT_FOUND"),
    "a load as kserve asks for it": ("RepositoryModelLoad", b"\x0a\x06nobody", "NOT_FOUND"),
    "an unload of nobody": ("RepositoryModelUnload", b"\x12\x06nobody", "NOT_FOUND"),
    "too much": ("ModelInfer", bytes(100_001), "RESOURCE_EXHAUSTED"),
}


@pytest.mark.parametrize("case", GRPC_REQUESTS)
def test_a_bad_call_gets_its_status_and_the_server_lives(server: local.LocalServer, case: str) -> None:
    grpc = pytest.importorskip("grpc")
    method, body, status = GRPC_REQUESTS[case]
    with grpc.insecure_channel(server.grpc.place) as channel, pytest.raises(grpc.RpcError) as error:
        channel.unary_unary(f"/inference.GRPCInferenceService/{method}")(body, timeout=20)
    assert error.value.code().name == status, error.value.details()
    lives(server)


@pytest.mark.parametrize(("size", "shape"), [(63, [1, 64]), (65, [1, 64]), (64, [64, 2]), (0, [-1, 64])])
def test_raw_contents_of_a_wrong_length_are_an_invalid_argument(
    server: local.LocalServer, size: int, shape: list[int]
) -> None:
    from opconform.harness.runtime import InvalidModel

    client = GrpcV2(server.grpc)
    slot = client.signature("digits_int8").inputs[0]
    described = {"name": slot.name, "datatype": "INT8", "shape": shape}
    with pytest.raises(InvalidModel, match="INVALID_ARGUMENT"):
        client._call("ModelInfer", model_name="digits_int8", inputs=[described], raw_input_contents=[bytes(size)])
    client.close()


def test_more_models_than_it_may_hold_are_refused_and_a_model_may_be_replaced(server: local.LocalServer) -> None:
    client = GrpcV2(server.grpc)
    names = [f"m{n}" for n in range(3)]  # beside digits_int8
    try:
        for name in names:
            client.load(name, DIGITS.read_bytes())
        client.load("m0", DIGITS.read_bytes())
        with pytest.raises(Exception, match="the server holds 4 models, the most it may; unload one"):
            client.load("m3", DIGITS.read_bytes())
    finally:
        for name in names:
            client.unload(name)
        client.close()
    lives(server)


def test_a_server_that_was_killed_is_replaced_when_the_next_model_comes() -> None:
    needed()
    runtime = Serving("grpc")
    executor = InProcess(runtime)
    first = bits_of(executor.execute(DIGITS.read_bytes(), [[image(DIGITS)]]))
    assert runtime._server is not None
    runtime._server.process.kill()
    runtime._server.process.wait()
    assert isinstance(executor.run([[image(DIGITS)]]), Crashed), "what was under way is lost, and said so"
    assert bits_of(executor.execute(DIGITS.read_bytes(), [[image(DIGITS)]])) == first
    runtime._server.stop()


def test_tensors_without_a_name_of_their_own_get_one() -> None:
    needed()
    from opconform.harness.serve_model import unique

    assert unique(["", "a", "a", "a_2", ""], "input") == ["input_0", "a", "a_2_", "a_2", "input_4"]


def test_the_server_listens_on_loopback_alone(server: local.LocalServer) -> None:
    psutil = pytest.importorskip("psutil")
    listening = [c.laddr.ip for c in psutil.Process(server.process.pid).connections() if c.status == psutil.CONN_LISTEN]
    assert len(listening) == 2
    assert {ip.removeprefix("::ffff:") for ip in listening} == {"127.0.0.1"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere.tflite"], "nowhere.tflite: cannot be read"),
        ([__file__], "cannot be served"),
        (["--host", "nowhere.invalid"], "cannot listen on nowhere.invalid"),
    ],
)
def test_what_cannot_be_served_is_one_line_and_exit_code_2(arguments: list[str], words: str) -> None:
    needed()
    command = [sys.executable, "-m", "opconform", "serve", "--port", "0", "--grpc-port", "0", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr


@pytest.mark.parametrize(("option", "other"), [("--port", "--grpc-port"), ("--grpc-port", "--port")])
def test_a_port_that_is_taken_is_one_line_and_exit_code_2(server: local.LocalServer, option: str, other: str) -> None:
    port = str(server.http.port)
    command = [sys.executable, "-m", "opconform", "serve", other, "0", option, port]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith(f"opconform: cannot listen on 127.0.0.1 port {port}")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(("protocol", "requests"), [("grpc", 10_000), ("v2-binary", 1_000)])
def test_eight_clients_lose_nothing_and_get_what_lite_gives_here(
    server: local.LocalServer, protocol: str, requests: int
) -> None:
    found = serve_load.measure(f"serving@{at(server, protocol)}?model=digits_int8", DIGITS, 8, requests)
    assert (found.lost, found.different, found.first_error) == (0, 0, "")
    assert found.requests == requests
