"""One connection to an HTTP server, kept open, and what its answers mean."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from opconform.harness.runtime import InvalidModel, Unsupported
from opconform.runtimes.serving.address import Address
from opconform.runtimes.serving.tensors import BadAnswer

#: Seconds until a server that does not answer is given up: less than what a worker may take.
PATIENCE = 45.0
#: A connection that nobody used for so many seconds may have been closed by the server: a new one takes its place.
IDLE = 2.0
MOST_BYTES = 256 * 1024 * 1024


class ServerError(Exception):
    """The server failed, by its own words; the message names the status."""


class NotThere(ServerError):
    """The server has no such model or path."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, headers (names in lower case) and body of an answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def document(self) -> Any:
        """Return the body as JSON. Raises BadAnswer."""
        return parse_json(self.body)

    @property
    def words(self) -> str:
        """Return what the server says went wrong."""
        try:
            said = json.loads(self.body)
        except ValueError:
            said = self.body.decode("utf-8", "replace")
        if isinstance(said, dict):
            said = said.get("error", said.get("detail", said))
        return " ".join(str(said).split())[:300]


def parse_json(body: bytes) -> Any:
    """Return what a body says, with the words NaN and Infinity. Raises BadAnswer."""
    try:
        return json.loads(body)
    except ValueError as error:
        raise BadAnswer(f"the answer {body[:40]!r} is no JSON: {error}") from error


class Http:
    """A connection to an address. Raises OSError where there is no server, TimeoutError where it does not answer."""

    def __init__(self, address: Address) -> None:
        connect = http.client.HTTPSConnection if address.secure else http.client.HTTPConnection
        self._connection = connect(address.host, address.port, timeout=PATIENCE)
        self._prefix = address.path
        self._used = time.monotonic()

    def ask(self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None) -> Answer:
        """Send a request and return the answer, whatever its status."""
        if time.monotonic() - self._used > IDLE:
            self._connection.close()
        try:
            self._connection.request(method, self._prefix + path, body or None, dict(headers or {}))
            response = self._connection.getresponse()
            data = response.read(MOST_BYTES)
        except http.client.HTTPException as error:
            self._connection.close()
            raise ConnectionError(f"no HTTP answer: {type(error).__name__}: {error}") from error
        except OSError:
            self._connection.close()
            raise
        self._used = time.monotonic()
        return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, data)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


def checked(answer: Answer) -> Answer:
    """Return an answer of status 200; raise what another status means for the contract of a runtime."""
    if answer.status == 200:
        return answer
    text = f"HTTP {answer.status}: {answer.words}"
    match answer.status:
        case 400 | 422:
            raise InvalidModel(text)
        case 413 | 501:
            raise Unsupported(text)
        case 404:
            raise NotThere(text)
    raise ServerError(text)
