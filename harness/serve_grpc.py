"""What kserve's gRPC server lacks: a repository that takes a model file, and its own errors as status codes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import grpc
from kserve.errors import InvalidInput, ModelNotFound, ModelNotReady
from kserve.protocol.grpc import grpc_predict_v2_pb2 as pb
from kserve.protocol.grpc.grpc_predict_v2_pb2_grpc import add_GRPCInferenceServiceServicer_to_server
from kserve.protocol.grpc.servicer import InferenceServicer
from kserve.protocol.infer_type import InferRequest
from kserve.protocol.model_repository_extension import ModelRepositoryExtension

from opconform.harness.serve_model import NotHosted, Repository, TooMany

_STATUSES = (
    (InvalidInput, grpc.StatusCode.INVALID_ARGUMENT),
    (ModelNotFound, grpc.StatusCode.NOT_FOUND),
    (NotHosted, grpc.StatusCode.UNIMPLEMENTED),
    (TooMany, grpc.StatusCode.RESOURCE_EXHAUSTED),
    (ModelNotReady, grpc.StatusCode.UNAVAILABLE),
    (NotImplementedError, grpc.StatusCode.UNIMPLEMENTED),
)


class Guarded:
    """A servicer whose methods turn what they raise into a status and one line; an interceptor would cost more."""

    def __init__(self, servicer: Any) -> None:
        self._servicer = servicer

    def __getattr__(self, name: str) -> Any:
        """Return a method of the servicer, guarded."""
        return _guarded(getattr(self._servicer, name))


def _guarded(method: Callable[..., Any]) -> Callable[..., Any]:
    async def guarded(request: Any, context: Any) -> Any:
        try:
            return await method(request, context)
        except Exception as error:
            code = next((code for kind, code in _STATUSES if isinstance(error, kind)), grpc.StatusCode.INTERNAL)
            text = str(error) if code != grpc.StatusCode.INTERNAL else f"{type(error).__name__}: {error}"
        return await context.abort(code, " ".join(text.split())[:500])

    return guarded


def model_request(data: bytes) -> tuple[str, bytes | None]:
    """Return model name and file of a request to load or unload, of Triton's form or of kserve's. Raises ValueError.

    Triton: 1 repository name, 2 model name, 3 map of parameters, each 1 key and 2 value with the bytes in 4.
    Kserve: 1 model name.
    """
    fields = _fields(data)
    first, second = (next((value for number, value in fields if number == n), b"") for n in (1, 2))
    files = []
    for number, entry in fields:
        if number == 3:
            pair = dict(_fields(entry))
            if pair.get(1, b"").startswith(b"file:"):
                files.append(dict(_fields(pair.get(2, b""))).get(4, b""))
    if len(files) > 1:
        raise ValueError(f"{len(files)} files are given; a model is one")
    return (second or first).decode("utf-8"), files[0] if files else None


def _fields(data: bytes) -> list[tuple[int, bytes]]:
    """Return the length-delimited fields of a protobuf message in order; numbers are skipped. Raises ValueError."""
    found, at = [], 0
    while at < len(data):
        key, at = _varint(data, at)
        match key & 7:
            case 0:
                _, at = _varint(data, at)
            case 2:
                length, at = _varint(data, at)
                if at + length > len(data):
                    raise ValueError(f"a field of {length} bytes at byte {at} of {len(data)}")
                found.append((key >> 3, data[at : at + length]))
                at += length
            case other:
                raise ValueError(f"wire type {other}, 0 and 2 are allowed")
    return found


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(data):
            raise ValueError("the message ends inside a number")
        value |= (data[at] & 0x7F) << shift
        at += 1
        if data[at - 1] < 0x80:
            return value, at
    raise ValueError("a number of more than ten bytes")


class Servicer(InferenceServicer):  # type: ignore[misc]
    """Kserve's service with a repository that takes files."""

    def __init__(self, plane: Any, repository: Repository) -> None:
        super().__init__(plane, ModelRepositoryExtension(repository))
        self._repository = repository

    async def ModelInfer(self, request: Any, context: Any) -> Any:
        """Invoke a model, without the detour by headers and histograms that kserve makes for every request.

        Raises InvalidInput, ModelNotFound and NotHosted.
        """
        self.validate_grpc_request(request)
        model = self._repository.get_model(request.model_name)
        if model is None:
            raise ModelNotFound(request.model_name)
        return (await model.predict(InferRequest.from_grpc(request))).to_grpc()

    async def RepositoryModelLoad(self, request: Any, context: Any) -> Any:
        """Bring a model. Raises InvalidInput for a request of neither form."""
        try:
            name, file = model_request(request.SerializeToString())  # with the fields that kserve's message lacks
        except ValueError as error:
            raise InvalidInput(f"the request is malformed: {error}") from error
        await self._repository.bring(name, file)
        return pb.RepositoryModelLoadResponse(model_name=name, isLoaded=True)

    async def RepositoryModelUnload(self, request: Any, context: Any) -> Any:
        """Forget a model (kserve's own method fails after it did). Raises ModelNotFound."""
        name, _ = model_request(request.SerializeToString())
        try:
            self._repository.unload(name)
        except KeyError as error:
            raise ModelNotFound(name) from error
        return pb.RepositoryModelUnloadResponse(model_name=name, isUnloaded=True)


def grpc_server(host: str, port: int, most_bytes: int, plane: Any, repository: Repository) -> tuple[Any, int]:
    """Return a server that is not started yet, and its port. Raises RuntimeError where it cannot listen."""
    options = [
        ("grpc.max_receive_message_length", most_bytes),
        ("grpc.max_send_message_length", -1),
        ("grpc.so_reuseport", 0),
    ]
    server = grpc.aio.server(options=options)
    add_GRPCInferenceServiceServicer_to_server(Guarded(Servicer(plane, repository)), server)
    return server, server.add_insecure_port(f"{host}:{port}")
