"""Models of `lite` in a kserve server: what they take, their repository, and what is wrong with a request."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from kserve import Model, ModelRepository
from kserve.errors import InvalidInput, ModelNotFound
from kserve.protocol.infer_type import InferOutput, InferRequest, InferResponse, RequestedOutput
from kserve.utils.numpy_codec import from_np_dtype

from opconform.harness.flatread import ModelError, read_model
from opconform.harness.model import DTYPES, Array
from opconform.harness.runtime import InvalidModel, Runtime, Session, Unsupported
from opconform.harness.serve_requests import answer_v1, fed, fed_v1

_V1_DTYPES: Mapping[str, str] = {
    "BOOL": "DT_BOOL", "UINT8": "DT_UINT8", "UINT16": "DT_UINT16", "UINT32": "DT_UINT32", "UINT64": "DT_UINT64",
    "INT8": "DT_INT8", "INT16": "DT_INT16", "INT32": "DT_INT32", "INT64": "DT_INT64",
    "FP16": "DT_HALF", "FP32": "DT_FLOAT", "FP64": "DT_DOUBLE", "BYTES": "DT_STRING",
}  # fmt: skip


#: Seconds that an invocation may keep the server from answering others.
SHORT = 0.002
#: Bytes of a file that is opened at once, where the last one of this size took no longer than two invocations.
SMALL = 16 * 1024


class NotHosted(Exception):
    """A model is legal, and `lite` does not run it, or the server has no room: 501, UNIMPLEMENTED."""


class TooMany(Exception):
    """The server holds as many models as it may: 503, RESOURCE_EXHAUSTED."""


class Turns:
    """One invocation at a time: a short one at once, any other on a thread, so that the server goes on answering."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "lite")
        self._under_way = 0

    async def run(self, short: bool, function: Callable[[], Any]) -> Any:
        """Call a function in its turn; `short`: it is known to take less than SHORT."""
        if short and not self._under_way:
            return function()
        self._under_way += 1
        future = asyncio.get_running_loop().run_in_executor(self._thread, function)
        future.add_done_callback(self._done)
        return await asyncio.shield(future)  # a client that goes away does not end what runs

    def _done(self, _: Any) -> None:
        self._under_way -= 1

    def close(self) -> None:
        """Let what runs come to its end, and begin nothing more."""
        self._thread.shutdown(cancel_futures=True)


def unique(names: Sequence[str], kind: str) -> list[str]:
    """Return a name for each tensor: its own, with its position where it is empty or taken."""
    found: list[str] = []
    for position, name in enumerate(names):
        chosen = name if name and name not in found else f"{name or kind}_{position}"
        while chosen != name and (chosen in found or chosen in names):
            chosen += "_"
        found.append(chosen)
    return found


class Hosted(Model):  # type: ignore[misc]
    """One model with one session: its invocations follow each other."""

    def __init__(self, name: str, data: bytes, runtime: Runtime, turns: Turns) -> None:
        super().__init__(name)
        self._session, self._turns, self._seconds = _opened(data, runtime), turns, SHORT
        try:
            view = read_model(data, name)
        except ModelError as error:
            raise InvalidInput(str(error)) from error
        self._inputs = _described([view.tensors[index] for index in view.inputs], "input")
        self._outputs = _described([view.tensors[index] for index in view.outputs], "output")
        self.ready = True  # for good: kserve would load a model that is not ready anew with every request

    def get_input_types(self) -> list[dict[str, Any]]:
        """Return name, datatype and shape of the inputs, in the model's order."""
        return self._inputs

    def get_output_types(self) -> list[dict[str, Any]]:
        """Return the same of the outputs."""
        return self._outputs

    async def predict(self, payload: Any, headers: Any = None) -> Any:
        """Invoke. Raises InvalidInput for a request that does not fit the model."""
        if isinstance(payload, InferRequest):
            return self._response(payload, await self._invoke(fed(payload, self._inputs)))
        if not isinstance(payload, dict):
            raise InvalidInput("the body is no JSON object; its content-type must be application/json")
        inputs, row = fed_v1(payload, self._inputs)
        return answer_v1(await self._invoke(inputs), self._outputs, row)

    async def _invoke(self, inputs: Sequence[Array]) -> Sequence[Array]:
        try:
            outputs: Sequence[Array] = await self._turns.run(self._seconds < SHORT, partial(self._timed, inputs))
        except InvalidModel as error:
            raise InvalidInput(str(error)) from error
        except Unsupported as error:
            raise NotHosted(str(error)) from error
        return outputs

    def _timed(self, inputs: Sequence[Array]) -> Sequence[Array]:
        began = time.thread_time()  # not of the clock: on a busy machine everything takes long
        try:
            return self._session.run(inputs)
        finally:
            self._seconds = time.thread_time() - began

    def _response(self, request: InferRequest, outputs: Sequence[Array]) -> InferResponse:
        binary = bool(request.use_binary_outputs) or request.from_grpc
        made = [_output(slot, array, request.from_grpc) for slot, array in zip(self._outputs, outputs, strict=True)]
        asked: Sequence[RequestedOutput] = request.request_outputs or ()
        known = {slot["name"]: array for slot, array in zip(self._outputs, outputs, strict=True)}
        for output in asked:
            if output.name not in known:
                raise InvalidInput(f"there is no output {output.name!r}; the model has {', '.join(known)}")
        if not binary and not request.request_outputs:
            for name, array in known.items():
                _check_text(name, array)
        return InferResponse(
            request.id or "1", self.name, made, use_binary_outputs=binary, requested_outputs=request.request_outputs
        )


def _output(slot: Mapping[str, Any], array: Array, as_bytes: bool) -> InferOutput:
    """Return an output; for gRPC as bytes at once, since kserve asks an array there whether it is true."""
    output = InferOutput(slot["name"], list(array.shape), slot["datatype"], data=array)
    if as_bytes:
        output.set_data_from_numpy(array, binary_data=True)
    return output


def _check_text(name: str, array: Array) -> None:
    if array.dtype.kind == "S":
        for item in array.reshape(-1).tolist():
            try:
                item.decode("utf-8")
            except UnicodeDecodeError as error:
                raise InvalidInput(f"output {name} holds {item!r}, which is no text; ask for binary data") from error


def _opened(data: bytes, runtime: Runtime) -> Session:
    try:
        return runtime.open(data)
    except InvalidModel as error:
        raise InvalidInput(str(error)) from error
    except Unsupported as error:
        raise NotHosted(str(error)) from error


def _described(slots: Sequence[Any], kind: str) -> list[dict[str, Any]]:
    named = zip(slots, unique([slot.name for slot in slots], kind), strict=True)
    return [{"name": name, "datatype": _datatype(slot.dtype), "shape": list(slot.shape)} for slot, name in named]


def _datatype(dtype: str) -> str:
    found = from_np_dtype(DTYPES[dtype][0]) if dtype in DTYPES else None
    if found is None:
        raise NotHosted(f"the protocol has no datatype for {dtype}")
    return str(found)


def signature_v1(name: str, model: Hosted) -> dict[str, Any]:
    """Return the metadata of a model as TensorFlow Serving writes them."""
    sides = {"inputs": model.get_input_types(), "outputs": model.get_output_types()}
    default = {side: {slot["name"]: _info_v1(slot) for slot in slots} for side, slots in sides.items()}
    return {
        "model_spec": {"name": name, "signature_name": "", "version": "1"},
        "metadata": {
            "signature_def": {
                "signature_def": {"serving_default": default | {"method_name": "tensorflow/serving/predict"}}
            }
        },
    }


def _info_v1(slot: Mapping[str, Any]) -> dict[str, Any]:
    dims = [{"size": str(dim), "name": ""} for dim in slot["shape"]]
    return {
        "dtype": _V1_DTYPES[slot["datatype"]],
        "tensor_shape": {"dim": dims, "unknown_rank": False},
        "name": slot["name"],
    }


class Repository(ModelRepository):  # type: ignore[misc]
    """The models by name; no more than `most`. Opening takes its turn among the invocations."""

    def __init__(self, runtime: Runtime, turns: Turns, most: int) -> None:
        super().__init__()
        self._runtime, self._turns, self._most = runtime, turns, most
        self._files: dict[str, bytes] = {}
        self._seconds = 2 * SHORT  # that the last small file took to open

    async def bring(self, name: str, data: bytes | None) -> None:
        """Open a model, anew where the name is taken; without bytes the file that it had.

        Raises ModelNotFound, TooMany, NotHosted and InvalidInput; a model that stood there before stays then.
        """
        if data is None:
            data = self._files.get(name)
        if data is None:
            raise ModelNotFound(name)
        if name not in self.models and len(self.models) >= self._most:
            raise TooMany(f"the server holds {len(self.models)} models, the most it may; unload one")
        short = len(data) <= SMALL and self._seconds < 2 * SHORT
        self.update(await self._turns.run(short, partial(self._opened, name, data)))
        self._files[name] = data

    def _opened(self, name: str, data: bytes) -> Hosted:
        began = time.thread_time()
        try:
            return Hosted(name, data, self._runtime, self._turns)
        finally:
            if len(data) <= SMALL:
                self._seconds = time.thread_time() - began

    def unload(self, name: str) -> None:
        """Forget a model. Raises KeyError for a name that nobody has."""
        super().unload(name)
        del self._files[name]
