"""The REST clients against a server of the standard library that answers as it is told."""

from __future__ import annotations

import base64
import json
import socketserver
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from opconform.harness import registry
from opconform.harness.flatmodel import Graph, Node, TensorDef, write_model
from opconform.harness.isolate import InProcess, connect
from opconform.harness.model import Crashed, Declined, Infra, Lost, Produced, Rejected
from opconform.harness.runtime import RuntimeFailure, Unavailable
from opconform.runtimes.serving import Serving, local
from opconform.runtimes.serving.address import Address, BadAddress, parse_address
from opconform.runtimes.serving.client import forgets

SLOTS = {"inputs": [("a", "FP32", [2]), ("b", "FP32", [2])], "outputs": [("y", "FP32", [2])]}
A, B = np.array([1, 2], np.float32), np.array([0.5, -0.0], np.float32)


def add_model(shape: tuple[int, ...] = (2,)) -> bytes:
    parts = tuple(TensorDef(name, "float32", shape) for name in "aby")
    return write_model([Graph(parts, (Node("ADD", (0, 1), (2,)),), (0, 1), (2,))])


@dataclass
class Told:
    """What the server answers to an inference, and what it was asked."""

    infer: Callable[[bytes, Any], tuple[int, bytes, dict[str, str]]]
    loads: bool = True
    asked: list[tuple[str, bytes]] = field(default_factory=list)
    url: str = ""


def metadata(path: str) -> Any:
    if path.startswith("/v2"):
        return {side: [dict(zip(("name", "datatype", "shape"), s, strict=True)) for s in SLOTS[side]] for side in SLOTS}
    sides = {
        side: {
            n: {"dtype": "DT_FLOAT", "tensor_shape": {"dim": [{"size": str(d)} for d in shape]}} for n, _, shape in s
        }
        for side, s in SLOTS.items()
    }
    return {"metadata": {"signature_def": {"signature_def": {"serving_default": sides}}}}


def handler(told: Told) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.answer(200, json.dumps(metadata(self.path)).encode(), {})

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            told.asked.append((self.path, body))
            if "repository" in self.path:
                self.answer(200 if told.loads else 404, b"{}", {})
            else:
                self.answer(*told.infer(body, self.headers))

        def answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
            self.send_response(status)
            for name, value in {"content-length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    return Handler


@pytest.fixture
def serve() -> Iterator[Callable[[Told], Told]]:
    servers = []

    def start(told: Told) -> Told:
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler(told))
        servers.append(server)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        told.url = f"http://127.0.0.1:{server.server_port}"
        return told

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def v2_json(data: list[Any], **more: Any) -> bytes:
    return json.dumps({"outputs": [{"name": "y", "datatype": "FP32", "shape": [2], "data": data} | more]}).encode()


def adds_v2(body: bytes, _: Any) -> tuple[int, bytes, dict[str, str]]:
    a, b = (entry["data"] for entry in json.loads(body)["inputs"])
    return 200, v2_json([x + y for x, y in zip(a, b, strict=True)]), {}


def adds_binary(body: bytes, headers: Any) -> tuple[int, bytes, dict[str, str]]:
    a, b = np.frombuffer(body[int(headers["inference-header-content-length"]) :], np.float32).reshape(2, 2)
    head = json.dumps(
        {"outputs": [{"name": "y", "datatype": "FP32", "shape": [2], "parameters": {"binary_data_size": 8}}]}
    ).encode()
    return 200, head + (a + b).tobytes(), {"inference-header-content-length": str(len(head))}


def adds_v1(body: bytes, _: Any) -> tuple[int, bytes, dict[str, str]]:
    asked = json.loads(body)
    if "instances" in asked:
        return 200, json.dumps({"predictions": [row["a"] + row["b"] for row in asked["instances"]]}).encode(), {}
    summed = [x + y for x, y in zip(asked["inputs"]["a"], asked["inputs"]["b"], strict=True)]
    return 200, json.dumps({"outputs": summed}).encode(), {}


ADDERS = {"": adds_binary, "v2-json+": adds_v2, "v1+": adds_v1}


def outcome(url: str, *vectors: tuple[Any, ...], model: bytes | None = None) -> Any:
    return InProcess(Serving(url)).execute(model or add_model(), vectors or [(A, B)])


@pytest.mark.parametrize("scheme", ADDERS)
def test_a_model_is_brought_invoked_and_taken_away(scheme: str, serve: Callable[[Told], Told]) -> None:
    told = serve(Told(ADDERS[scheme]))
    executor = InProcess(Serving(scheme + told.url))
    found = executor.execute(add_model(), [(A, B), (B, B)])
    executor.close()
    assert isinstance(found, Produced)
    assert [outputs[0].tobytes() for outputs in found.outputs] == [(A + B).tobytes(), (B + B).tobytes()]
    first, last = told.asked[0], told.asked[-1]
    assert base64.b64decode(json.loads(first[1])["parameters"]["file:1/model.tflite"]) == add_model()
    assert (first[0].rpartition("/")[2], last[0].rpartition("/")[2]) == ("load", "unload")


def remembering_model() -> bytes:
    parts = (
        TensorDef("a", "float32", (2,)),
        TensorDef("b", "float32", (2,), variable=True),
        TensorDef("y", "float32", (2,)),
    )
    return write_model([Graph(parts, (Node("ADD", (0, 1), (2,)),), (0, 1), (2,))])


@pytest.mark.parametrize(("model", "loads"), [(add_model(), 3), (remembering_model(), 4)])
def test_the_own_server_is_brought_a_model_anew_where_it_holds_another_or_the_model_holds_state(
    model: bytes, loads: int, serve: Callable[[Told], Told], monkeypatch: pytest.MonkeyPatch
) -> None:
    told = serve(Told(adds_binary))
    monkeypatch.setattr(local, "start", lambda: SimpleNamespace(address=lambda asked: parse_address(told.url)))
    executor = InProcess(Serving("v2-binary"))
    for given in (model, model, add_model() + b"\0", model):
        assert isinstance(executor.execute(given, [(A, B)]), Produced)
    assert sum(path.endswith("/load") for path, _ in told.asked) == loads


@pytest.mark.parametrize("op", ["CALL_ONCE", "CUSTOM", "VAR_HANDLE", "WHILE"])
def test_a_model_whose_operator_remembers_holds_state(op: str) -> None:
    tensors = (TensorDef("y", "float32", (2,)),)
    assert not forgets(write_model([Graph(tensors, (Node(op, (), (0,)),), (), (0,))]))
    assert not forgets(b"no model")
    assert forgets(add_model())


def test_the_row_format_of_v1_sends_instances(serve: Callable[[Told], Told]) -> None:
    told = serve(Told(adds_v1))
    found = outcome(f"v1+{told.url}?format=row")
    assert isinstance(found, Produced)
    assert found.outputs[0][0].tolist() == [1.5, 2.0]
    assert json.loads(told.asked[1][1]) == {"instances": [{"a": 1.0, "b": 0.5}, {"a": 2.0, "b": -0.0}]}


def test_null_where_a_number_was_is_lost_in_transport(serve: Callable[[Told], Told]) -> None:
    told = serve(Told(lambda *_: (200, v2_json([None, 1.0]), {})))
    found = outcome(f"v2-json+{told.url}")
    assert isinstance(found, Lost)
    assert found.detail == "output y holds null: the server's JSON has no NaN and no infinity"


def refuses_words(body: bytes, headers: Any) -> tuple[int, bytes, dict[str, str]]:
    return (400, b'{"error": "no JSON"}', {}) if b"NaN" in body or b"Infinity" in body else adds_v2(body, headers)


def test_a_request_that_is_refused_for_its_infinity_alone_is_lost_in_transport(serve: Callable[[Told], Told]) -> None:
    found = outcome(f"v2-json+{serve(Told(refuses_words)).url}", (np.array([np.inf, 1], np.float32), B))
    assert isinstance(found, Lost)
    assert "the server takes no NaN and no infinity in JSON: HTTP 400: no JSON" in found.detail


def test_a_request_that_is_refused_with_zeros_too_is_rejected(serve: Callable[[Told], Told]) -> None:
    told = serve(Told(lambda *_: (400, b'{"error": "never"}', {})))
    assert outcome(f"v2-json+{told.url}", (np.array([np.nan, 1], np.float32), B)) == Rejected("HTTP 400: never")


def test_an_infinity_that_the_server_knows_arrives(serve: Callable[[Told], Told]) -> None:
    found = outcome(f"v2-json+{serve(Told(adds_v2)).url}", (np.array([np.inf, 1], np.float32), B))
    assert isinstance(found, Produced)
    assert found.outputs[0][0].tolist() == [np.inf, 1]


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, Rejected), (422, Rejected), (413, Declined), (501, Declined), (404, Crashed), (500, Crashed)],
)
def test_a_status_says_what_happened(status: int, kind: type, serve: Callable[[Told], Told]) -> None:
    found = outcome(serve(Told(lambda *_: (status, b'{"error": "so it is"}', {}))).url)
    assert isinstance(found, kind)
    assert f"HTTP {status}: so it is" in str(found)


def test_a_redirect_is_not_followed_and_says_where_it_leads(serve: Callable[[Told], Told]) -> None:
    found = outcome(serve(Told(lambda *_: (307, b"<html>", {"location": "http://there:1/"}))).url)
    assert isinstance(found, Crashed)
    assert "HTTP 307: it redirects to http://there:1/, which is not followed; give that URL" in found.detail


@pytest.mark.parametrize(
    ("body", "headers", "words"),
    [
        (b"{}", {}, "outputs is"),
        (b'{"outputs": []}', {}, "the answer lacks y"),
        (v2_json([1.0]), {}, "has 1 elements"),
        (v2_json([1.0, 2.0], shape=[-2]), {}, "shape is"),
        (v2_json([1.0, 2.0], name=3), {}, "name is"),
        (v2_json([1.0, 2.0]), {"inference-header-content-length": "99999"}, "the body has"),
        (
            b'{"outputs":[{"name":"y","datatype":"FP32","shape":[2],"parameters":{"binary_data_size":8}}]}',
            {},
            "has 8 bytes",
        ),
    ],
)
def test_an_answer_that_breaks_the_protocol_is_a_crash_in_one_line(
    body: bytes, headers: dict[str, str], words: str, serve: Callable[[Told], Told]
) -> None:
    found = outcome(serve(Told(lambda *_: (200, body, headers))).url)
    assert isinstance(found, Crashed)
    assert words in found.detail
    assert "\n" not in found.detail


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"no json", "the answer 'no json' is no JSON: Expecting value"),
        (b'{"outputs": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nests too deeply; is an inference server behind"),
        (b"\xff\xfe" + b"x" * 100, "xx'… is no JSON"),
    ],
)
def test_an_answer_that_is_no_json_is_no_server_and_names_the_url(
    body: bytes, words: str, serve: Callable[[Told], Told]
) -> None:
    told = serve(Told(lambda *_: (200, body, {})))
    found = outcome(told.url)
    assert isinstance(found, Infra)
    assert found.detail.startswith(f"{told.url}/v2/models/opconform-")
    assert words in found.detail


def test_an_error_of_deep_json_is_told_as_it_came(serve: Callable[[Told], Told]) -> None:
    found = outcome(serve(Told(lambda *_: (500, b"[" * 100_000, {}))).url)
    assert isinstance(found, Crashed)
    assert "HTTP 500: [[[" in found.detail


class Garbage(socketserver.BaseRequestHandler):
    """A server that speaks no HTTP."""

    def handle(self) -> None:
        self.request.recv(65536)
        self.request.sendall(b"SSH-2.0-x\r\n")


class Leaving(socketserver.BaseRequestHandler):
    """A server that ends every connection before the answer does."""

    def handle(self) -> None:
        self.request.recv(65536)
        self.request.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nbegin")


@pytest.fixture
def listening() -> Iterator[Callable[[type[socketserver.BaseRequestHandler]], str]]:
    servers = []

    def start(kind: type[socketserver.BaseRequestHandler]) -> str:
        server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), kind)
        servers.append(server)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        return f"http://127.0.0.1:{server.server_address[1]}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def test_what_speaks_no_http_is_no_server_in_a_worker_as_in_this_process(listening: Callable[..., str]) -> None:
    url = listening(Garbage)
    worker = connect(registry.resolve(f"serving@{url}"))
    apart = worker.execute(add_model(), [(A, B)])
    worker.close()
    for found, stage in ((outcome(url), ""), (apart, "OPEN: ")):
        assert isinstance(found, Infra)
        assert found.detail.startswith(f"{stage}{url}/v2/repository/models/opconform-")
        assert "the answer is no HTTP (BadStatusLine): 'SSH-2.0-x" in found.detail
        assert "\n" not in found.detail


def test_a_connection_that_ends_within_an_answer_is_a_crash(listening: Callable[..., str]) -> None:
    found = outcome(listening(Leaving))
    assert isinstance(found, Crashed)
    assert "the connection ended 95 bytes before the answer did" in found.detail


def test_a_server_that_takes_no_models_is_told_so(serve: Callable[[Told], Told]) -> None:
    found = outcome(serve(Told(adds_binary, loads=False)).url)
    assert isinstance(found, Declined)
    assert "put ?model=NAME behind the URL" in found.why


def test_a_model_that_is_there_is_used_for_its_file(serve: Callable[[Told], Told]) -> None:
    told = serve(Told(adds_binary, loads=False))
    found = outcome(f"{told.url}?model=adder")
    assert isinstance(found, Produced)
    assert [path for path, _ in told.asked] == ["/v2/models/adder/infer"]


def test_a_model_that_is_there_must_fit_the_file(serve: Callable[[Told], Told]) -> None:
    found = outcome(f"{serve(Told(adds_binary)).url}?model=adder", model=add_model((3,)))
    assert isinstance(found, Declined)
    assert "the inputs of adder on the server are FP32 [2], FP32 [2]; those of this model are float32 [3]" in found.why


def test_a_model_that_is_there_stands_for_one_file_only(serve: Callable[[Told], Told]) -> None:
    executor = InProcess(Serving(f"{serve(Told(adds_binary)).url}?model=adder"))
    assert isinstance(executor.execute(add_model(), [(A, B)]), Produced)
    found = executor.execute(add_model() + b"\0", [(A, B)])
    assert isinstance(found, Declined)
    assert "another model" in found.why


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("grpc", Address("grpc")),
        ("http://h", Address("v2-binary", "h", 80)),
        ("https://h:1/a/", Address("v2-binary", "h", 1, True, "/a")),
        ("v2-json+http://h:1", Address("v2-json", "h", 1)),
        ("v1+http://h:1?format=row&model=m", Address("v1", "h", 1, model="m", row=True)),
        ("grpc://[::1]:2?model=m", Address("grpc", "::1", 2, model="m")),
    ],
)
def test_an_address_says_protocol_and_place(text: str, address: Address) -> None:
    assert parse_address(text) == address
    assert parse_address(address.text) == address


@pytest.mark.parametrize(
    "text",
    ["", "ftp://h", "http://", "http://h:x", "http://h:99999", "http://u@h", "http://h?x=1", "http://h#f", "grpc://h/a",
     "v1+http://h?format=up"],
)  # fmt: skip
def test_what_is_no_address_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(BadAddress, match=f"^serving@{text.replace('?', '.').replace('+', '.')}"):
        parse_address(text)


def test_a_url_goes_through_the_registry_whole() -> None:
    handle = registry.resolve("serving@v1+http://127.0.0.1:8501?model=m&format=row")
    assert (handle.at, handle.default) == ("v1+http://127.0.0.1:8501?model=m&format=row", False)
    assert handle.argument == "'serving@v1+http://127.0.0.1:8501?model=m&format=row'"


def test_a_scheme_that_nobody_knows_is_refused_with_those_that_are() -> None:
    with pytest.raises(registry.UnknownRuntime, match="allowed are v2-binary v2-json v1 grpc http"):
        registry.resolve("serving@ftp://h")


def test_a_server_that_is_not_there_is_told_before_a_run() -> None:
    with pytest.raises(Unavailable, match=r"there is no server at 127.0.0.1:1: .*refused; is it started"):
        connect(registry.resolve("serving@http://127.0.0.1:1"))


def test_a_bad_address_is_told_before_a_run() -> None:
    with pytest.raises(RuntimeFailure, match="unknown option 'x'"):
        connect(registry.resolve("serving@http://h?x=1"))
