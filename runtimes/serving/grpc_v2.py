"""KServe's v2 protocol over gRPC. Its messages are data here; protobuf makes classes of them."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np

from opconform.harness.model import Array
from opconform.harness.runtime import InvalidModel, Unavailable, Unsupported
from opconform.runtimes.serving import tensors
from opconform.runtimes.serving.address import Address
from opconform.runtimes.serving.http import HELP, PATIENCE, NoServer, NotThere, ServerError
from opconform.runtimes.serving.rest import MODEL_FILE, Signature, in_order
from opconform.runtimes.serving.tensors import BadAnswer, Described

_SERVICE = "/inference.GRPCInferenceService/"
_KINDS = {
    "double": 1,
    "float": 2,
    "int64": 3,
    "uint64": 4,
    "int32": 5,
    "bool": 8,
    "string": 9,
    "bytes": 12,
    "uint32": 13,
}

#: Message -> field -> number and type; a type in brackets is repeated. Fields that nobody here needs are left out.
MESSAGES: Mapping[str, Mapping[str, tuple[int, str]]] = {
    "Contents": {
        "bool_contents": (1, "[bool]"),
        "int_contents": (2, "[int32]"),
        "int64_contents": (3, "[int64]"),
        "uint_contents": (4, "[uint32]"),
        "uint64_contents": (5, "[uint64]"),
        "fp32_contents": (6, "[float]"),
        "fp64_contents": (7, "[double]"),
        "bytes_contents": (8, "[bytes]"),
    },
    "Tensor": {
        "name": (1, "string"),
        "datatype": (2, "string"),
        "shape": (3, "[int64]"),
        "contents": (5, "Contents"),
    },
    "ModelInferRequest": {
        "model_name": (1, "string"),
        "inputs": (5, "[Tensor]"),
        "raw_input_contents": (7, "[bytes]"),
    },
    "ModelInferResponse": {"outputs": (5, "[Tensor]"), "raw_output_contents": (6, "[bytes]")},
    "ModelMetadataRequest": {"name": (1, "string")},
    "ModelMetadataResponse": {"inputs": (4, "[Tensor]"), "outputs": (5, "[Tensor]")},
    "Parameter": {"string_param": (3, "string"), "bytes_param": (4, "bytes")},
    "Entry": {"key": (1, "string"), "value": (2, "Parameter")},
    "RepositoryModelLoadRequest": {"model_name": (2, "string"), "parameters": (3, "[Entry]")},
    "RepositoryModelLoadResponse": {},
    # As Triton has them, a repository first; the messages of KServe have the model first, and no file.
    "RepositoryModelUnloadRequest": {"model_name": (2, "string")},
    "RepositoryModelUnloadResponse": {},
}


@cache
def messages() -> Mapping[str, Any]:
    """Return the class of every message. Raises Unavailable where protobuf is missing."""
    try:
        from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
    except ImportError as error:
        raise Unavailable("serving@grpc: the package protobuf is missing; run: tox -e serving") from error
    file = descriptor_pb2.FileDescriptorProto(name="opconform_serving.proto", package="inference", syntax="proto3")
    for message, fields in MESSAGES.items():
        described = file.message_type.add(name=message)
        for name, (number, kind) in fields.items():
            field = described.field.add(name=name, number=number, label=3 if kind.startswith("[") else 1)
            bare = kind.strip("[]")
            field.type = _KINDS.get(bare, 11)
            if bare not in _KINDS:
                field.type_name = f".inference.{bare}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"inference.{name}")) for name in MESSAGES}


class GrpcV2:
    """A channel to a server. Raises what Client says; TimeoutError where the server does not answer."""

    def __init__(self, address: Address) -> None:
        try:
            import grpc
        except ImportError as error:
            raise Unavailable("serving@grpc: the package grpcio is missing; run: tox -e serving") from error
        self._error: Any = grpc.RpcError
        options = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]
        place = f"[{address.host}]:{address.port}" if ":" in address.host else address.place
        if address.secure:
            self._channel = grpc.secure_channel(place, grpc.ssl_channel_credentials(), options)
        else:
            self._channel = grpc.insecure_channel(place, options)
        self._calls: dict[str, Callable[..., Any]] = {}

    def _call(self, method: str, **fields: Any) -> Any:
        made = messages()
        if method not in self._calls:
            self._calls[method] = self._channel.unary_unary(
                _SERVICE + method,
                request_serializer=made[f"{method}Request"].SerializeToString,
                response_deserializer=made[f"{method}Response"].FromString,
            )
        try:
            return self._calls[method](made[f"{method}Request"](**fields), timeout=PATIENCE)
        except self._error as error:
            raise _meaning(error.code().name, " ".join(str(error.details()).split())[:300]) from error

    def load(self, model: str, data: bytes) -> None:
        """See Client."""
        made = messages()
        file = made["Entry"](key=MODEL_FILE, value=made["Parameter"](bytes_param=data))
        config = made["Entry"](key="config", value=made["Parameter"](string_param="{}"))
        self._call("RepositoryModelLoad", model_name=model, parameters=[config, file])

    def unload(self, model: str) -> None:
        """See Client."""
        self._call("RepositoryModelUnload", model_name=model)

    def signature(self, model: str) -> Signature:
        """See Client."""
        answer = self._call("ModelMetadata", name=model)
        return Signature(*(tuple(map(_described, side)) for side in (answer.inputs, answer.outputs)))

    def infer(self, model: str, signature: Signature, inputs: Sequence[Array]) -> list[Array]:
        """See Client."""
        tensor = messages()["Tensor"]
        described = [
            tensor(name=slot.name, datatype=tensors.datatype_of(array), shape=array.shape)
            for slot, array in zip(signature.inputs, inputs, strict=True)
        ]
        raw = [tensors.to_raw(array) for array in inputs]
        return in_order(
            outputs_of(self._call("ModelInfer", model_name=model, inputs=described, raw_input_contents=raw)), signature
        )

    def close(self) -> None:
        """See Client."""
        self._channel.close()


def _described(tensor: Any) -> Described:
    return Described(tensor.name, tensor.datatype, tuple(tensor.shape))


def outputs_of(answer: Any) -> dict[str, Array]:
    """Return the outputs of a ModelInferResponse by name. Raises BadAnswer."""
    raws = answer.raw_output_contents
    if raws and len(raws) != len(answer.outputs):
        raise BadAnswer(f"{len(answer.outputs)} outputs and {len(raws)} raw contents, as many are needed")
    found = {}
    for tensor, raw in itertools.zip_longest(answer.outputs, raws):
        shape = tuple(tensor.shape)
        if any(dim < 0 for dim in shape):
            raise BadAnswer(f"output {tensor.name} has shape {list(shape)}")
        if raw is None:
            found[tensor.name] = _from_contents(tensor, shape)
        else:
            found[tensor.name] = tensors.from_raw(tensor.name, tensor.datatype, shape, raw)
    return found


def _from_contents(tensor: Any, shape: tuple[int, ...]) -> Array:
    """Return a tensor whose elements came typed, as protobuf's numbers: floats exactly, but for their NaN's bits."""
    filled = [values for _, values in tensor.contents.ListFields()]
    items = list(filled[0]) if filled else []
    if tensor.datatype == "BYTES":
        return tensors.from_raw(tensor.name, "BYTES", shape, tensors.to_raw(np.array(items, "S")) if items else b"")
    return tensors.from_numbers(tensor.name, tensor.datatype, shape, items)


def _meaning(code: str, words: str) -> Exception:
    """Return what a status means for the contract of a runtime."""
    text = f"gRPC {code}: {words}"
    match code:
        case "INVALID_ARGUMENT" | "OUT_OF_RANGE":
            return InvalidModel(text)
        case "UNIMPLEMENTED" | "RESOURCE_EXHAUSTED":
            return Unsupported(text)
        case "DEADLINE_EXCEEDED":
            return TimeoutError(text)
        case "NOT_FOUND":
            return NotThere(text)
        case "UNAVAILABLE" if "HTTP/2" in words:  # the words of gRPC for an answer that is none of its own
            return NoServer(f"{text}; {HELP}")
        case "UNAVAILABLE":
            return ConnectionError(text)
    return ServerError(text)
