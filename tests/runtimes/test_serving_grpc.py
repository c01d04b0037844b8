"""The messages of v2 over gRPC: bytes on the wire, and answers of either form."""

from __future__ import annotations

import socketserver
import threading
from typing import Any

import numpy as np
import pytest

pytest.importorskip("google.protobuf", reason="protobuf is not installed: tox -e serving")

from opconform.harness.isolate import InProcess
from opconform.harness.model import Infra
from opconform.harness.runtime import InvalidModel, Unsupported
from opconform.runtimes.serving import Serving
from opconform.runtimes.serving.grpc_v2 import _meaning, messages, outputs_of
from opconform.runtimes.serving.http import NotThere, ServerError
from opconform.runtimes.serving.tensors import BadAnswer


def tensor(datatype: str, shape: list[int], **contents: Any) -> Any:
    made = messages()
    return made["Tensor"](name="y", datatype=datatype, shape=shape, contents=made["Contents"](**contents))


def answer(outputs: list[Any], raws: list[bytes]) -> Any:
    return messages()["ModelInferResponse"](outputs=outputs, raw_output_contents=raws)


def test_a_request_has_the_bytes_that_the_protocol_says() -> None:
    made = messages()
    slot = made["Tensor"](name="x", datatype="INT8", shape=[2])
    request = made["ModelInferRequest"](model_name="m", inputs=[slot], raw_input_contents=[b"\1\2"])
    assert request.SerializeToString() == b"\x0a\x01m" + b"\x2a\x0c\x0a\x01x\x12\x04INT8\x1a\x01\x02" + b"\x3a\x02\1\2"


def test_a_load_request_has_the_file_as_triton_takes_it() -> None:
    made = messages()
    entry = made["Entry"](key="file:f", value=made["Parameter"](bytes_param=b"\xff"))
    request = made["RepositoryModelLoadRequest"](model_name="m", parameters=[entry])
    assert request.SerializeToString() == b"\x12\x01m" + b"\x1a\x0d\x0a\x06file:f\x12\x03\x22\x01\xff"


def test_raw_contents_are_the_tensor() -> None:
    found = outputs_of(answer([tensor("FP32", [2])], [np.array([1, np.nan], np.float32).tobytes()]))
    assert found["y"].tobytes() == np.array([1, np.nan], np.float32).tobytes()


@pytest.mark.parametrize(
    ("datatype", "contents", "want"),
    [
        ("INT8", {"int_contents": [-1, 2]}, np.array([-1, 2], np.int8)),
        ("UINT64", {"uint64_contents": [2**64 - 1, 0]}, np.array([2**64 - 1, 0], np.uint64)),
        ("FP32", {"fp32_contents": [0.1, np.inf]}, np.array([0.1, np.inf], np.float32)),
        ("BOOL", {"bool_contents": [True, False]}, np.array([True, False])),
        ("BYTES", {"bytes_contents": [b"ab", b"\xff"]}, np.array([b"ab", b"\xff"], "S32")),
    ],
)
def test_typed_contents_are_the_tensor(datatype: str, contents: dict[str, Any], want: Any) -> None:
    found = outputs_of(answer([tensor(datatype, [2], **contents)], []))["y"]
    assert (found.dtype, found.tobytes()) == (want.dtype, want.tobytes())


def test_as_many_raw_contents_as_outputs_are_needed() -> None:
    with pytest.raises(BadAnswer, match="1 outputs and 2 raw contents"):
        outputs_of(answer([tensor("FP32", [1])], [bytes(4), bytes(4)]))


def test_a_negative_dimension_is_no_shape() -> None:
    with pytest.raises(BadAnswer, match=r"shape \[-1\]"):
        outputs_of(answer([tensor("FP32", [-1])], [bytes(4)]))


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("INVALID_ARGUMENT", InvalidModel),
        ("UNIMPLEMENTED", Unsupported),
        ("RESOURCE_EXHAUSTED", Unsupported),
        ("DEADLINE_EXCEEDED", TimeoutError),
        ("UNAVAILABLE", ConnectionError),
        ("NOT_FOUND", NotThere),
        ("INTERNAL", ServerError),
    ],
)
def test_a_status_says_what_happened(code: str, kind: type[Exception]) -> None:
    found = _meaning(code, "so it is")
    assert type(found) is kind
    assert str(found) == f"gRPC {code}: so it is"


class Greeting(socketserver.BaseRequestHandler):
    """A server that speaks no HTTP/2."""

    def handle(self) -> None:
        self.request.sendall(b"SSH-2.0-x\r\n")
        self.request.recv(65536)


def test_what_speaks_no_http_2_is_no_server() -> None:
    pytest.importorskip("grpc", reason="grpcio is not installed: tox -e serving")
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Greeting) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        found = InProcess(Serving(f"grpc://127.0.0.1:{server.server_address[1]}")).execute(b"", [()])
        server.shutdown()
    assert isinstance(found, Infra)
    assert "Failed parsing HTTP/2" in found.detail
    assert found.detail.endswith("is an inference server behind that URL?")
