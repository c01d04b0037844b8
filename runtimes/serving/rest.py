"""The REST protocols: v2 with tensors as JSON or as bytes behind it, and the predict API of TensorFlow Serving (v1)."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import quote

import numpy as np

from opconform.harness.model import Array
from opconform.harness.runtime import InvalidModel, LostInTransport, Unsupported
from opconform.runtimes.serving import tensors
from opconform.runtimes.serving.http import Answer, Http, checked
from opconform.runtimes.serving.tensors import BadAnswer, Described

_JSON = {"content-type": "application/json"}
#: How many bytes of a body are JSON; the tensors follow it (the binary tensor data extension of v2).
_SPLIT = "inference-header-content-length"
#: The name that a file has in the request that loads it (the model repository extension of v2).
MODEL_FILE = "file:1/model.tflite"


@dataclass(frozen=True, slots=True)
class Signature:
    """Inputs and outputs of a model on a server, in the server's order."""

    inputs: tuple[Described, ...]
    outputs: tuple[Described, ...]


class Client(Protocol):
    """What a session needs of a protocol. Methods raise RuntimeFailure, BadAnswer, ServerError and OSError."""

    def load(self, model: str, data: bytes) -> None:
        """Bring a model file to the server under a name."""
        ...

    def unload(self, model: str) -> None:
        """Let the server forget a model."""
        ...

    def signature(self, model: str) -> Signature:
        """Ask what a model takes and gives."""
        ...

    def infer(self, model: str, signature: Signature, inputs: Sequence[Array]) -> list[Array]:
        """Invoke a model; outputs are in the order of the signature."""
        ...

    def close(self) -> None:
        """Close the connection."""
        ...


class Repository:
    """Models come and go by v2's model repository extension, which v1 has nothing of its own for."""

    def __init__(self, http: Http) -> None:
        self.http = http

    def load(self, model: str, data: bytes) -> None:
        """See Client."""
        parameters = {"config": "{}", MODEL_FILE: base64.b64encode(data).decode("ascii")}
        answer = self.http.ask("POST", self._path(model, "load"), _dumped({"parameters": parameters}), _JSON)
        if answer.status in (404, 405):
            raise Unsupported(
                f"the server takes no models (HTTP {answer.status} for {self._path(model, 'load')}); "
                "put ?model=NAME behind the URL to use one that is there"
            )
        checked(answer)

    def unload(self, model: str) -> None:
        """See Client."""
        checked(self.http.ask("POST", self._path(model, "unload"), b"{}", _JSON))

    def close(self) -> None:
        """See Client."""
        self.http.close()

    def _path(self, model: str, verb: str) -> str:
        return f"/v2/repository/models/{quote(model, safe='')}/{verb}"


class RestV2(Repository):
    """KServe's v2 protocol over HTTP. `binary`: tensors travel as bytes, else as numbers in JSON."""

    def __init__(self, http: Http, binary: bool) -> None:
        super().__init__(http)
        self._binary = binary

    def signature(self, model: str) -> Signature:
        """See Client."""
        return signature_of(checked(self.http.ask("GET", f"/v2/models/{quote(model, safe='')}")).document)

    def infer(self, model: str, signature: Signature, inputs: Sequence[Array]) -> list[Array]:
        """See Client."""
        if not self._binary:
            refuse_halves(signature)
            return asked_in_json(inputs, lambda fed: self._converse(model, signature, fed))
        return self._converse(model, signature, inputs)

    def _converse(self, model: str, signature: Signature, inputs: Sequence[Array]) -> list[Array]:
        head, raw = self._request(signature, inputs)
        headers = {"content-type": "application/octet-stream", _SPLIT: str(len(head))} if self._binary else _JSON
        path = f"/v2/models/{quote(model, safe='')}/infer"
        return _outputs_of(checked(self.http.ask("POST", path, head + raw, headers)), signature)

    def _request(self, signature: Signature, inputs: Sequence[Array]) -> tuple[bytes, bytes]:
        described, raws = [], []
        for slot, array in zip(signature.inputs, inputs, strict=True):
            entry: dict[str, Any] = {"name": slot.name, "shape": list(array.shape)}
            entry["datatype"] = tensors.datatype_of(array)
            if self._binary:
                raws.append(tensors.to_raw(array))
                entry["parameters"] = {"binary_data_size": len(raws[-1])}
            else:
                entry["data"] = tensors.to_numbers(slot.name, array, base64_strings=False)
            described.append(entry)
        request: dict[str, Any] = {"id": "1", "inputs": described}
        if self._binary:
            request["parameters"] = {"binary_data_output": True}
        return _dumped(request), b"".join(raws)


def refuse_halves(signature: Signature) -> None:
    """Raise LostInTransport for a model with FP16: the JSON of v2 has no form for it, only bytes."""
    for slot in (*signature.inputs, *signature.outputs):
        if slot.datatype == "FP16":
            raise LostInTransport(f"{slot.name} is FP16, which v2 carries as bytes and not as JSON")


def asked_in_json(inputs: Sequence[Array], ask: Callable[[Sequence[Array]], list[Array]]) -> list[Array]:
    """Ask a server in JSON. Raises LostInTransport where it refuses a request for its NaN and infinities alone.

    A refused request is asked again with zeros in their place: what is refused then, too, is wrong in another way.
    """
    try:
        return ask(inputs)
    except InvalidModel as refusal:
        if all(map(tensors.finite, inputs)):
            raise
        ask([array if tensors.finite(array) else np.where(np.isfinite(array), array, 0) for array in inputs])
        raise LostInTransport(f"the server takes no NaN and no infinity in JSON: {refusal}") from refusal


def _dumped(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _field(where: str, entry: Any, key: str, kind: type) -> Any:
    value = entry.get(key) if isinstance(entry, dict) else None
    if not isinstance(value, kind):
        raise BadAnswer(f"{where}: {key} is {str(value)[:40]!r}, a {kind.__name__} is needed")
    return value


def _shape_of(where: str, value: Sequence[Any], least: int) -> tuple[int, ...]:
    dims = tuple(int(dim) if isinstance(dim, int | str) and str(dim).lstrip("-").isdigit() else None for dim in value)
    if any(dim is None or dim < least for dim in dims):
        raise BadAnswer(f"{where}: shape is {list(value)}, whole numbers from {least} on are allowed")
    return tuple(dim for dim in dims if dim is not None)


def signature_of(document: Any) -> Signature:
    """Return what the metadata of a v2 model says. Raises BadAnswer."""
    sides = [
        tuple(
            _described(f"metadata of {side[:-1]} {n}", entry)
            for n, entry in enumerate(_field("metadata", document, side, list))
        )
        for side in ("inputs", "outputs")
    ]
    return Signature(*sides)


def _described(where: str, entry: Any) -> Described:
    name, datatype = _field(where, entry, "name", str), _field(where, entry, "datatype", str)
    return Described(name, datatype, _shape_of(where, _field(where, entry, "shape", list), -1))


def in_order(found: Mapping[str, Array], signature: Signature) -> list[Array]:
    """Return outputs in the order of the signature. Raises BadAnswer where one is missing."""
    missing = [slot.name for slot in signature.outputs if slot.name not in found]
    if missing:
        raise BadAnswer(f"the answer lacks {', '.join(missing)}; it has {', '.join(found) or 'no outputs'}")
    return [found[slot.name] for slot in signature.outputs]


def _outputs_of(answer: Answer, signature: Signature) -> list[Array]:
    length = answer.headers.get(_SPLIT, str(len(answer.body)))
    at = int(length) if length.isdigit() else -1
    if not 0 <= at <= len(answer.body):
        raise BadAnswer(f"{_SPLIT} is {length}, the body has {len(answer.body)} bytes")
    found = {}
    for number, entry in enumerate(_field("answer", answer.leading(at), "outputs", list)):
        where = f"output {number}"
        name, datatype = _field(where, entry, "name", str), _field(where, entry, "datatype", str)
        shape = _shape_of(where, _field(where, entry, "shape", list), 0)
        size = (entry.get("parameters") or {}).get("binary_data_size")
        if "data" in entry:
            items, _ = tensors.flattened(name, _field(where, entry, "data", list), shape[:1])
            found[name] = tensors.from_numbers(name, datatype, shape, items)
        else:
            if not isinstance(size, int) or not 0 <= size <= len(answer.body) - at:
                raise BadAnswer(f"output {name} has {size} bytes, {len(answer.body) - at} of the body are left")
            found[name] = tensors.from_raw(name, datatype, shape, answer.body[at : at + size])
            at += size
    return in_order(found, signature)


class RestV1(Repository):
    """The predict API of TensorFlow Serving. `row`: a list of instances of one first dimension each, else columns."""

    def __init__(self, http: Http, row: bool) -> None:
        super().__init__(http)
        self._row = row

    def signature(self, model: str) -> Signature:
        """See Client; the default signature of the model."""
        document = checked(self.http.ask("GET", f"/v1/models/{quote(model, safe='')}/metadata")).document
        for key in ("metadata", "signature_def", "signature_def"):
            document = _field("metadata", document, key, dict)
        chosen = _field("metadata", document, "serving_default", dict)
        sides = [
            tuple(_described_v1(name, entry) for name, entry in _field("metadata", chosen, side, dict).items())
            for side in ("inputs", "outputs")
        ]
        return Signature(*sides)

    def infer(self, model: str, signature: Signature, inputs: Sequence[Array]) -> list[Array]:
        """See Client."""
        return asked_in_json(inputs, lambda fed: self._converse(model, signature, fed))

    def _converse(self, model: str, signature: Signature, inputs: Sequence[Array]) -> list[Array]:
        values = {
            slot.name: tensors.nested(tensors.to_numbers(slot.name, array, base64_strings=True), array.shape)
            for slot, array in zip(signature.inputs, inputs, strict=True)
        }
        for slot, array in zip(signature.inputs, inputs, strict=True):
            _check_v1(slot, array)
        request = {"instances": _rows(values)} if self._row else {"inputs": values}
        path = f"/v1/models/{quote(model, safe='')}:predict"
        document = checked(self.http.ask("POST", path, _dumped(request), _JSON)).document
        columns = self._columns(document, signature)
        found = {}
        for slot in signature.outputs:
            if slot.name not in columns:
                raise BadAnswer(f"the answer lacks {slot.name}; it has {', '.join(columns) or 'no outputs'}")
            items, shape = tensors.flattened(slot.name, columns[slot.name], slot.shape)
            found[slot.name] = tensors.from_numbers(slot.name, slot.datatype, shape, items)
        return in_order(found, signature)

    def _columns(self, document: Any, signature: Signature) -> Mapping[str, Any]:
        if not isinstance(document, dict) or ("predictions" if self._row else "outputs") not in document:
            raise BadAnswer(f"the answer has {sorted(document) if isinstance(document, dict) else document!r} only")
        if not self._row:
            whole = document["outputs"]
            named = isinstance(whole, dict) and any(slot.name in whole for slot in signature.outputs)
            return whole if named else {slot.name: whole for slot in signature.outputs[:1]}
        rows = _field("answer", document, "predictions", list)
        if len(signature.outputs) == 1:
            return {signature.outputs[0].name: rows}
        return {
            slot.name: [_field("prediction", {"row": row}, "row", dict).get(slot.name) for row in rows]
            for slot in signature.outputs
        }


def _check_v1(slot: Described, array: Array) -> None:
    """Check what lists of numbers do not say: the datatype, and the shape of a tensor without elements.

    Raises InvalidModel and LostInTransport.
    """
    if tensors.datatype_of(array) != slot.datatype:
        raise InvalidModel(f"input {slot.name} is {array.dtype}, the model takes {slot.datatype}")
    if 0 in array.shape[:-1] and not slot.takes(array):
        raise LostInTransport(f"input {slot.name}: lists do not say the shape {list(array.shape)}")


def _rows(values: Mapping[str, Any]) -> list[Any]:
    """Return columns as instances. Raises Unsupported where they have no common first dimension."""
    lengths = {len(value) if isinstance(value, list) else -1 for value in values.values()}
    if len(lengths) != 1 or -1 in lengths:
        raise Unsupported("the row format wants inputs with the same first dimension; use the column format")
    return [{name: value[n] for name, value in values.items()} for n in range(lengths.pop())]


def _described_v1(name: str, entry: Any) -> Described:
    where = f"metadata of {name}"
    datatype = tensors.OF_V1.get(_field(where, entry, "dtype", str), str(entry["dtype"]))
    dims = [
        _field(where, {"dim": dim}, "dim", dict).get("size") for dim in (entry.get("tensor_shape") or {}).get("dim", [])
    ]
    return Described(name, datatype, _shape_of(where, dims, -1))
