"""The HTTP side of the server: kserve's endpoints, the repository's, errors as JSON, and a bound on every request."""

from __future__ import annotations

import base64
import binascii
import contextlib
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import fastapi
import orjson
import uvicorn
from fastapi.responses import JSONResponse, ORJSONResponse
from kserve import errors
from kserve.errors import InvalidInput
from kserve.protocol.model_repository_extension import ModelRepositoryExtension
from kserve.protocol.rest.v1_endpoints import register_v1_endpoints
from kserve.protocol.rest.v2_endpoints import register_v2_endpoints

from opconform.harness.serve_model import NotHosted, Repository, TooMany, signature_v1

_FILE = "file:"
_STATUSES = {
    errors.InvalidInput: 400,
    fastapi.exceptions.RequestValidationError: 400,
    errors.ModelNotFound: 404,
    NotHosted: 501,
    NotImplementedError: 501,
    TooMany: 503,
    errors.ModelNotReady: 503,
    Exception: 500,
}


class _Server(uvicorn.Server):  # type: ignore[misc]
    """Signals are handled once, for HTTP and gRPC."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone."""
        yield


def web_server(app: Any, most_bytes: int, grace: int) -> Any:
    """Return a server of an application that is not started yet."""
    config = uvicorn.Config(
        limited(app, most_bytes), log_config=None, lifespan="off", timeout_graceful_shutdown=grace,
        timeout_keep_alive=65, access_log=False,
    )  # fmt: skip
    return _Server(config)


def application(plane: Any, repository: Repository) -> Any:
    """Return the application: v1, v2, the model repository extension and the metadata of v1."""
    app = fastapi.FastAPI(title="opconform", docs_url=None, redoc_url=None, default_response_class=ORJSONResponse)

    async def load(model_name: str, request: fastapi.Request) -> dict[str, Any]:
        await repository.bring(model_name, file_of(await request.body()))
        return {"name": model_name, "load": True}

    async def index() -> list[dict[str, str]]:
        return [{"name": name, "version": "1", "state": "READY", "reason": ""} for name in repository.get_models()]

    async def metadata(model_name: str) -> dict[str, Any]:
        return signature_v1(model_name, plane.get_model_from_registry(model_name))

    app.add_api_route("/v2/repository/models/{model_name}/load", load, methods=["POST"], response_model=None)
    app.add_api_route("/v2/repository/index", index, methods=["POST"], response_model=None)
    app.add_api_route("/v1/models/{model_name}/metadata", metadata, methods=["GET"], response_model=None)
    extension = ModelRepositoryExtension(repository)
    register_v1_endpoints(app, plane, extension)
    register_v2_endpoints(app, plane, extension)
    for kind, status in _STATUSES.items():
        app.add_exception_handler(kind, _refusal(status))
    return app


def _refusal(status: int) -> Callable[[Any, Exception], Awaitable[Any]]:
    async def answer(_: Any, error: Exception) -> Any:
        text = str(error) if status != 500 else f"{type(error).__name__}: {error}"
        return JSONResponse({"error": " ".join(text.split())[:500]}, status)

    return answer


def file_of(body: bytes) -> bytes | None:
    """Return the model file of a load request, None where it has none. Raises kserve's InvalidInput."""
    try:
        document = orjson.loads(body or b"{}")
        parameters = document.get("parameters") or {}
        files = [text for name, text in parameters.items() if name.startswith(_FILE)]
        if len(files) > 1:
            raise InvalidInput(f"{len(files)} files are given; a model is one")
        return base64.b64decode(files[0], validate=True) if files else None
    except (ValueError, AttributeError, TypeError, binascii.Error) as error:
        if isinstance(error, InvalidInput):
            raise
        raise InvalidInput(f"the request is malformed: {error}") from error


def limited(app: Any, most: int) -> Any:
    """Return an ASGI application that answers 413 to a body of more than `most` bytes, announced or not."""

    async def limited(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        announced = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
        if int(announced) > most:
            await _too_large(send, most)
            return
        body, more = bytearray(), True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
            if len(body) > most:
                await _too_large(send, most)
                return
        whole = iter([{"type": "http.request", "body": bytes(body), "more_body": False}])

        async def given() -> Any:
            return next(whole, None) or await receive()

        await app(scope, given, send)

    return limited


async def _too_large(send: Any, most: int) -> None:
    text = b'{"error": "the request has more than %d bytes, the most that this server takes"}' % most
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(text)).encode()),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": 413, "headers": headers})
    await send({"type": "http.response.body", "body": text})
