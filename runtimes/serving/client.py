"""The runtime: a model is brought to a server, invoked there, and taken away again."""

from __future__ import annotations

import contextlib
import secrets
import socket
from collections.abc import Mapping, Sequence

from opconform.harness.flatread import ModelError, read_model
from opconform.harness.model import Array
from opconform.harness.runtime import InvalidModel, Manifest, RuntimeFailure, Unavailable, Unsupported
from opconform.runtimes.serving import local, tensors
from opconform.runtimes.serving.address import Address, parse_address
from opconform.runtimes.serving.grpc_v2 import GrpcV2, messages
from opconform.runtimes.serving.http import Http, NotThere, ServerError
from opconform.runtimes.serving.rest import Client, RestV1, RestV2, Signature
from opconform.runtimes.serving.tensors import BadAnswer, Described

#: Operators that remember an invocation, or call a graph that may hold such.
_REMEMBERING = frozenset(
    {"CALL_ONCE", "CUSTOM", "HASHTABLE", "IF", "VAR_HANDLE", "WHILE"}
    | {"MULTINOMIAL", "RANDOM_STANDARD_NORMAL", "RANDOM_UNIFORM"}
)
#: Seconds in which a server has to take a connection.
CONNECT_SECONDS = 5.0


def connect(address: Address) -> Client:
    """Return a client of a protocol. Nothing is sent yet. Raises Unavailable where a package is missing."""
    match address.protocol:
        case "grpc":
            return GrpcV2(address)
        case "v1":
            return RestV1(Http(address), address.row)
    return RestV2(Http(address), address.protocol == "v2-binary")


def find_server(address: Address) -> None:
    """See that something takes connections at an address. Raises Unavailable."""
    try:
        socket.create_connection((address.host, address.port), CONNECT_SECONDS).close()
    except (OSError, UnicodeError) as error:
        raise Unavailable(f"there is no server at {address.place}: {error}; is it started?") from error


class Serving:
    """An inference server: "grpc", "v1", "v2-json" and "v2-binary" are the project's own, a URL any other."""

    def __init__(self, at: str = "") -> None:
        self._asked = parse_address(at or "v2-binary")
        self._address: Address | None = self._asked if self._asked.host else None
        self._client: Client | None = None
        self._server: local.LocalServer | None = None
        self._guest = bool(self._asked.host)  # one that leaves nothing behind; the own server ends with this process
        self._name = ""  # that models have on the server, one after the other
        self._only: bytes | None = None  # the model that ?model= was taken for
        self._brought: tuple[bytes, ServingSession] | None = None  # the last one, as long as the own server holds it

    def describe(self) -> Manifest:
        """Return the name; targets and rows stand in runtime.yaml."""
        return Manifest(name="serving")

    def transport(self, at: str) -> None:
        """Check an address and what it needs, and have no transport of its own.

        Raises BadAddress, and Unavailable where a package or the server is missing.
        """
        asked = parse_address(at)
        if not asked.host and (lacking := local.missing_packages()):
            raise Unavailable(f"serving@{at}: {lacking}")
        if asked.protocol == "grpc":
            messages()
        if asked.host:
            find_server(asked)

    def warm(self) -> None:
        """Start the own server, or see that the other one is there. Raises Unavailable."""
        if self._asked.host:
            find_server(self._asked)
        else:
            self._server = local.start()
            self._address = self._server.address(self._asked)

    def open(self, model: bytes) -> ServingSession:
        """Bring a model to the server, or take the one that the address names. Raises RuntimeFailure."""
        if self._address is None:
            self.warm()
        try:
            return self._open(model)
        except ConnectionError:
            if self._asked.host:
                raise
        self._client = self._brought = None  # the own server ended: the next model gets a new one
        self.warm()
        return self._open(model)

    def _open(self, model: bytes) -> ServingSession:
        if self._address is None:
            raise Unavailable("the server has no address")
        if self._client is None:  # only now: this may be a process that was forked since
            self._client, self._name = connect(self._address), f"opconform-{secrets.token_hex(8)}"
        if self._address.model:
            return self._take(self._client, self._address.model, model)
        if self._brought is not None and self._brought[0] == model and self._brought[1].sound and forgets(model):
            return self._brought[1]
        self._brought = None
        self._client.load(self._name, model)
        session = ServingSession(self._client, self._name, self._client.signature(self._name), self._guest)
        if not self._guest:
            self._brought = (model, session)
        return session

    def _take(self, client: Client, name: str, model: bytes) -> ServingSession:
        """Use a model that is there for the file it was made of, as far as its inputs and outputs tell."""
        if self._only is not None and self._only != model:
            raise Unsupported(f"the server has {name}, and this is another model than the first one of this session")
        try:
            signature = paired(client.signature(name), model, name)
        except NotThere as error:
            raise Unsupported(f"the server has no model {name}: {error}") from error
        self._only = model
        return ServingSession(client, name, signature, loaded=False)


def forgets(model: bytes) -> bool:
    """Tell whether a model that was invoked answers as one that was just opened: it holds no state."""
    try:
        view = read_model(model, "")
    except ModelError:
        return False
    return not view.variables and _REMEMBERING.isdisjoint(operation.op for operation in view.operations)


def paired(signature: Signature, model: bytes, name: str) -> Signature:
    """Return a server's signature in the order of a file's inputs and outputs.

    They belong together by name, or by position where the names are others. Raises Unsupported where numbers, dtypes or
    shapes differ, InvalidModel where the file cannot be read.
    """
    try:
        view = read_model(model, name)
    except ModelError as error:
        raise InvalidModel(str(error)) from error
    sides = []
    for what, served, here in (("inputs", signature.inputs, view.inputs), ("outputs", signature.outputs, view.outputs)):
        names = [view.tensors[index].name for index in here]
        by_name = {slot.name: slot for slot in served}
        ordered = tuple(by_name[n] for n in names) if set(names) == set(by_name) else served
        wanted = [(view.tensors[index].dtype, view.tensors[index].shape) for index in here]
        if len(ordered) != len(wanted) or not all(
            _fits(slot, *want) for slot, want in zip(ordered, wanted, strict=True)
        ):
            there = ", ".join(f"{slot.datatype} {list(slot.shape)}" for slot in served)
            told = ", ".join(f"{dtype} {list(shape)}" for dtype, shape in wanted)
            raise Unsupported(f"the {what} of {name} on the server are {there}; those of this model are {told}")
        sides.append(ordered)
    return Signature(*sides)


def _fits(slot: Described, dtype: str, shape: Sequence[int]) -> bool:
    known = slot.datatype in tensors.DATATYPES and tensors.DTYPE_NAMES[slot.datatype] == dtype
    return (
        known
        and len(slot.shape) == len(shape)
        and all(there == -1 or there == here for there, here in zip(slot.shape, shape, strict=True))
    )


class ServingSession:
    """A model on a server; `sound` as long as every invocation was answered."""

    def __init__(self, client: Client, name: str, signature: Signature, loaded: bool) -> None:
        self._client, self._name, self._signature, self._loaded = client, name, signature, loaded
        self.sound = True

    def run(self, inputs: Sequence[Array]) -> Sequence[Array]:
        """Invoke once. Raises RuntimeFailure; ServerError, BadAnswer and OSError where the server is to blame."""
        if len(inputs) != len(self._signature.inputs):
            raise InvalidModel(f"{len(inputs)} inputs are given; the model has {len(self._signature.inputs)}")
        self.sound = False
        outputs = self._client.infer(self._name, self._signature, inputs)
        self.sound = True
        return outputs

    def meters(self) -> Mapping[str, int]:
        """Return nothing: a server does not tell what an invocation cost."""
        return {}

    def close(self) -> None:
        """Take the model away, if it was brought; a server that is gone needs no such thing."""
        if self._loaded:
            with contextlib.suppress(OSError, ServerError, BadAnswer, RuntimeFailure):
                self._client.unload(self._name)
