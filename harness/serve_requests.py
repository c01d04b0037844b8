"""What a request holds, checked: names, datatypes, shapes, lengths and ranges, of v2 and of v1; and what v1 answers."""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import orjson
from kserve.errors import InvalidInput
from kserve.protocol.dataplane import DataPlane
from kserve.protocol.infer_type import InferInput, InferRequest, RequestedOutput
from kserve.utils.numpy_codec import to_np_dtype

from opconform.harness.model import DTYPES, Array

_SPLIT = "inference-header-content-length"
Slot = Mapping[str, Any]  # name, datatype and shape of an input or output


def fed(request: InferRequest, slots: Sequence[Slot]) -> list[Array]:
    """Return the inputs of a v2 request in the model's order. Raises InvalidInput."""
    given = {tensor.name: tensor for tensor in request.inputs}
    _check_names(given, slots)
    if len(given) != len(request.inputs):
        raise InvalidInput(f"an input is given twice: {', '.join(tensor.name for tensor in request.inputs)}")
    return [_array_of(given[slot["name"]], slot["datatype"]) for slot in slots]


def _check_names(given: Mapping[str, Any], slots: Sequence[Slot]) -> None:
    names = [slot["name"] for slot in slots]
    if sorted(given) != sorted(names):
        raise InvalidInput(f"inputs are {_listed(given)}; the model takes {_listed(names)}")


def _listed(names: Iterable[str]) -> str:
    return ", ".join(map(repr, names)) or "none"


def _array_of(tensor: InferInput, datatype: str) -> Array:
    """Return the array of an input. Raises InvalidInput for another datatype, a wrong length and values beyond it."""
    shape = tensor.shape
    if tensor.datatype != datatype:
        raise InvalidInput(f"input {tensor.name} is {tensor.datatype}; {datatype} is needed")
    if any(isinstance(dim, bool) or not isinstance(dim, int) or dim < 0 for dim in shape):
        raise InvalidInput(f"input {tensor.name} has the shape {shape}; whole numbers from 0 on are needed")
    raw, count = tensor._raw_data, math.prod(shape)
    if raw is None:
        return _from_items(tensor.name, datatype, shape, _flat(tensor.data))
    if datatype == "BYTES":
        return _from_items(tensor.name, datatype, shape, _raw_items(tensor.name, raw))
    dtype = np.dtype(to_np_dtype(datatype))
    if len(raw) != count * dtype.itemsize:
        raise InvalidInput(
            f"input {tensor.name} has {len(raw)} bytes; {datatype} {shape} takes {count * dtype.itemsize}"
        )
    if dtype.kind == "b" and raw.strip(b"\0\1"):
        raise InvalidInput(f"input {tensor.name} holds a byte that is no bool; 0 and 1 are allowed")
    return np.frombuffer(raw, dtype).reshape(shape)


def _raw_items(name: str, raw: bytes) -> list[bytes]:
    items, at = [], 0
    while at < len(raw):
        length = int.from_bytes(raw[at : at + 4], "little")
        if at + 4 + length > len(raw):
            raise InvalidInput(f"input {name}: an element at byte {at} ends behind the {len(raw)} bytes that came")
        items.append(raw[at + 4 : at + 4 + length])
        at += 4 + length
    return items


def _flat(data: Any) -> list[Any]:
    """Return the elements of a list, or of lists within lists."""
    items = list(data) if isinstance(data, list) else [data]
    while any(isinstance(item, list) for item in items):
        items = [inner for item in items for inner in (item if isinstance(item, list) else [item])]
    return items


#: What an element of JSON may be, by the kind of the dtype; a bool is no number.
_KINDS: Mapping[str, tuple[type, ...]] = {"b": (bool,), "i": (int,), "u": (int,), "f": (int, float), "S": (bytes,)}


def _from_items(name: str, datatype: str, shape: Sequence[int], items: Sequence[Any]) -> Array:
    """Return an array of numbers or strings that came one by one. Raises InvalidInput."""
    dtype = DTYPES["string"][0] if datatype == "BYTES" else np.dtype(to_np_dtype(datatype))
    if dtype.kind == "S":
        items = [item.encode("utf-8", "surrogatepass") if isinstance(item, str) else item for item in items]
        if any(isinstance(item, bytes) and len(item) > dtype.itemsize for item in items):
            raise InvalidInput(f"input {name} holds a string of more than {dtype.itemsize} bytes")
    if len(items) != math.prod(shape):
        raise InvalidInput(f"input {name} has {len(items)} elements; {list(shape)} takes {math.prod(shape)}")
    wrong = [
        item
        for item in items
        if not isinstance(item, _KINDS[dtype.kind]) or (dtype.kind != "b" and isinstance(item, bool))
    ]
    if wrong:
        raise InvalidInput(f"input {name} holds {repr(wrong[0])[:40]}, which is no {datatype}")
    try:
        with np.errstate(over="ignore"):
            array = np.array(items, dtype).reshape(shape)
    except OverflowError as error:
        raise InvalidInput(f"input {name} holds a number beyond {datatype}: {error}") from error
    if dtype.kind == "f" and np.isinf(array).sum() != sum(math.isinf(item) for item in items):
        raise InvalidInput(f"input {name} holds a number beyond {datatype}")
    return array


def fed_v1(payload: Mapping[str, Any], slots: Sequence[Slot]) -> tuple[list[Array], bool]:
    """Return the inputs of a v1 request in the model's order, and whether they came as rows. Raises InvalidInput."""
    row = "instances" in payload
    if row == ("inputs" in payload):
        raise InvalidInput("the body needs either instances (rows) or inputs (columns)")
    columns = _columns(payload["instances"], slots) if row else payload["inputs"]
    if not isinstance(columns, dict):
        columns = {slot["name"]: columns for slot in slots[:1]} if len(slots) == 1 else {}
    _check_names(columns, slots)
    return [_array_v1(slot, columns[slot["name"]]) for slot in slots], row


def _columns(instances: Any, slots: Sequence[Slot]) -> Any:
    if not isinstance(instances, list) or not instances:
        raise InvalidInput("instances is no list of at least one instance")
    if all(isinstance(instance, dict) and "b64" not in instance for instance in instances):
        for instance in instances:
            _check_names(instance, slots)
        return {slot["name"]: [instance[slot["name"]] for instance in instances] for slot in slots}
    return instances


def _array_v1(slot: Slot, value: Any) -> Array:
    shape, items = [], [value]
    while items and all(isinstance(item, list) for item in items):
        if len({len(item) for item in items}) > 1:
            raise InvalidInput(f"input {slot['name']} has lists of different lengths side by side")
        shape.append(len(items[0]))
        items = [inner for item in items for inner in item]
    if any(isinstance(item, list) for item in items):
        raise InvalidInput(f"input {slot['name']} has a list beside a number")
    if not items and len(shape) < len(slot["shape"]):
        shape += slot["shape"][len(shape) :]  # lists do not say what stands behind a dimension of 0
    return _from_items(slot["name"], slot["datatype"], shape, [_from_base64(slot["name"], item) for item in items])


def _from_base64(name: str, item: Any) -> Any:
    if not isinstance(item, dict):
        return item
    try:
        return base64.b64decode(item["b64"], validate=True)
    except (KeyError, TypeError, binascii.Error) as error:
        raise InvalidInput(f"input {name} holds {repr(item)[:40]}; an object must be {{'b64': text}}") from error


def answer_v1(outputs: Sequence[Array], slots: Sequence[Slot], row: bool) -> dict[str, Any]:
    named = {slot["name"]: _v1_list(array) for slot, array in zip(slots, outputs, strict=True)}
    single = next(iter(named.values())) if len(named) == 1 else None
    if not row:
        return {"outputs": named if single is None else single}
    lengths = {len(value) if isinstance(value, list) else -1 for value in named.values()}
    if len(lengths) != 1 or -1 in lengths:
        raise InvalidInput("outputs of this model have no common first dimension; ask with inputs instead of instances")
    if single is not None:
        return {"predictions": single}
    return {"predictions": [{name: value[n] for name, value in named.items()} for n in range(lengths.pop())]}


def _v1_list(array: Array) -> Any:
    if array.dtype.kind != "S":
        return array.tolist()
    coded = [{"b64": base64.b64encode(item).decode()} for item in array.reshape(-1).tolist()]
    whole = np.empty(len(coded), object)
    whole[:] = coded
    return whole.reshape(array.shape).tolist()


class StrictDataPlane(DataPlane):  # type: ignore[misc]
    """Kserve's data plane with a reader of binary requests that keeps bytes as bytes and checks every length."""

    def decode(self, body: Any, headers: Any, protocol_version: str = "v1", model_name: str | None = None) -> Any:
        """Return the request that a body holds. Raises InvalidInput for every other body."""
        try:
            return super().decode(body, headers, protocol_version, model_name)
        except InvalidInput:
            raise
        except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
            raise InvalidInput(f"the request is malformed: {type(error).__name__}: {error}") from error

    def decode_inference_request(self, body: Any, headers: Any, model_name: str | None) -> InferRequest:
        """Return a v2 request of JSON, or of JSON with bytes behind it. Raises InvalidInput."""
        if not isinstance(body, bytes):
            return InferRequest.from_inference_request(body, model_name)
        length = str(headers.get(_SPLIT, len(body)))
        if not length.isdigit() or int(length) > len(body):
            raise InvalidInput(f"{_SPLIT} is {length}; the body has {len(body)} bytes")
        document = orjson.loads(body[: int(length)])
        if not isinstance(document, dict) or not isinstance(document.get("inputs"), list):
            raise InvalidInput("the request has no list of inputs")
        at, inputs = int(length), []
        for entry in document["inputs"]:
            tensor, at = _tensor_of(entry, body, at)
            inputs.append(tensor)
        if at != len(body):
            raise InvalidInput(f"the inputs end at byte {at} of {len(body)}")
        wanted = [RequestedOutput(one["name"], one.get("parameters")) for one in document.get("outputs") or ()]
        return InferRequest(
            model_name,
            inputs,
            document.get("id"),
            parameters=document.get("parameters"),
            request_outputs=wanted or None,
        )


def _tensor_of(entry: Any, body: bytes, at: int) -> tuple[InferInput, int]:
    """Return an input of a binary request, and where the bytes of the next one begin."""
    tensor = InferInput(entry["name"], entry["shape"], entry["datatype"], entry.get("data"))
    if tensor.data is not None:
        return tensor, at
    size = (entry.get("parameters") or {}).get("binary_data_size")
    if isinstance(size, bool) or not isinstance(size, int) or not 0 <= size <= len(body) - at:
        raise InvalidInput(f"input {tensor.name}: binary_data_size is {size}; {len(body) - at} bytes are left")
    tensor._raw_data = body[at : at + size]
    return tensor, at + size
