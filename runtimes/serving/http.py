"""One connection to an HTTP server, kept open, and what its answers mean."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from opconform.harness.runtime import InvalidModel, RuntimeFailure, Unsupported
from opconform.runtimes.serving.address import Address

#: Seconds until a server that does not answer is given up: less than what a worker may take.
PATIENCE = 45.0
#: A connection that nobody used for so many seconds may have been closed by the server: a new one takes its place.
IDLE = 2.0
MOST_BYTES = 256 * 1024 * 1024
HELP = "is an inference server behind that URL?"


class ServerError(Exception):
    """The server failed, by its own words; the message names the status."""


class NoServer(RuntimeFailure):
    """What answers is no inference server: it speaks no HTTP, or no JSON; the message names the URL and what came."""


class NotThere(ServerError):
    """The server has no such model or path."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, headers (names in lower case) and body of an answer; `url` is what was asked."""

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def document(self) -> Any:
        """Return the body as JSON. Raises NoServer."""
        return self.leading(len(self.body))

    def leading(self, size: int) -> Any:
        """Return the first `size` bytes of the body as JSON, with the words NaN and Infinity. Raises NoServer."""
        try:
            return json.loads(self.body[:size])
        except (ValueError, RecursionError) as error:
            what = "nests too deeply" if isinstance(error, RecursionError) else f"is no JSON: {error}"
            raise NoServer(f"{self.url}: the answer {shown(self.body[:size])} {what}; {HELP}") from error

    @property
    def words(self) -> str:
        """Return what the server says went wrong."""
        try:
            said = json.loads(self.body)
        except (ValueError, RecursionError):
            said = self.body.decode("utf-8", "replace")
        if isinstance(said, dict):
            said = said.get("error", said.get("detail", said))
        return " ".join(str(said).split())[:300]


def shown(text: bytes) -> str:
    """Return the start of what came, for a message."""
    return repr(text[:40]).removeprefix("b") + ("…" if len(text) > 40 else "")


class Http:
    """A connection to an address.

    Raises OSError where there is no server or it went away, TimeoutError where it does not answer, and NoServer where
    what it answers is no HTTP.
    """

    def __init__(self, address: Address) -> None:
        connect = http.client.HTTPSConnection if address.secure else http.client.HTTPConnection
        self._connection = connect(address.host, address.port, timeout=PATIENCE)
        self._base = f"{'https' if address.secure else 'http'}://{address.place}"
        self._prefix = address.path
        self._used = time.monotonic()

    def ask(self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None) -> Answer:
        """Send a request and return the answer, whatever its status."""
        if time.monotonic() - self._used > IDLE:
            self._connection.close()
        url = self._base + self._prefix + path
        try:
            self._connection.request(method, self._prefix + path, body or None, dict(headers or {}))
            response = self._connection.getresponse()
            data = response.read(MOST_BYTES)
        except (http.client.RemoteDisconnected, http.client.IncompleteRead) as error:
            self._connection.close()
            raise ConnectionError(f"{url}: the connection ended early: {error}") from error
        except http.client.HTTPException as error:
            self._connection.close()
            came = shown(str(error).encode("utf-8", "replace"))
            raise NoServer(f"{url}: the answer is no HTTP ({type(error).__name__}): {came}; {HELP}") from error
        except OSError:
            self._connection.close()
            raise
        if not response.isclosed():
            self._connection.close()  # nothing tells where the answer ends, or it has more than was read
        if response.length and len(data) < MOST_BYTES:
            raise ConnectionError(f"{url}: the connection ended {response.length} bytes before the answer did")
        self._used = time.monotonic()
        return Answer(url, response.status, {name.lower(): value for name, value in response.getheaders()}, data)

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
        case 301 | 302 | 303 | 307 | 308:
            place = answer.headers.get("location", "nowhere")[:200]
            raise ServerError(f"HTTP {answer.status}: it redirects to {place}, which is not followed; give that URL")
    raise ServerError(text)
