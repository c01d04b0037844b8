"""What stands behind `serving@`: a protocol, and where the server is."""

from __future__ import annotations

from dataclasses import dataclass, replace
from urllib.parse import SplitResult, parse_qsl, urlencode, urlsplit

from opconform.harness.runtime import RuntimeFailure

#: Scheme -> protocol, whether the connection is encrypted, and the port that is meant where none is given.
SCHEMES = {
    "http": ("v2-binary", False, 80),
    "https": ("v2-binary", True, 443),
    "v2-json+http": ("v2-json", False, 80),
    "v2-json+https": ("v2-json", True, 443),
    "v1+http": ("v1", False, 80),
    "v1+https": ("v1", True, 443),
    "grpc": ("grpc", False, 8081),
    "grpcs": ("grpc", True, 443),
}
PROTOCOLS = ("v2-binary", "v2-json", "v1", "grpc")
_FORMATS = ("column", "row")
_HELP = "write e.g. http://127.0.0.1:8080, v1+http://127.0.0.1:8501?model=NAME or grpc://127.0.0.1:8081"


class BadAddress(RuntimeFailure):
    """What stands behind serving@ is no address; the message says what is allowed."""


@dataclass(frozen=True, slots=True)
class Address:
    """A protocol and a server; no host means the project's own server on loopback.

    `model` is a model that is there already, "" where models are loaded; `row` asks v1 for its row format.
    """

    protocol: str
    host: str = ""
    port: int = 0
    secure: bool = False
    path: str = ""
    model: str = ""
    row: bool = False

    @property
    def place(self) -> str:
        """Return host:port, for messages."""
        return f"{self.host}:{self.port}"

    @property
    def text(self) -> str:
        """Return what stands behind serving@ to mean this address."""
        if not self.host:
            return self.protocol
        scheme = next(name for name, (protocol, secure, _) in SCHEMES.items() if (protocol, secure) == self.kind)
        host = f"[{self.host}]" if ":" in self.host else self.host
        options = {key: value for key, value in (("model", self.model), ("format", "row" if self.row else "")) if value}
        return f"{scheme}://{host}:{self.port}{self.path}" + (f"?{urlencode(options)}" if options else "")

    @property
    def kind(self) -> tuple[str, bool]:
        """Return protocol and whether the connection is encrypted."""
        return self.protocol, self.secure

    def with_model(self, name: str) -> Address:
        """Return the same for a model that is there, unless it names one."""
        return self if self.model else replace(self, model=name)


def parse_address(text: str) -> Address:
    """Return what a text such as "grpc" or "v1+http://127.0.0.1:8501?model=m" means. Raises BadAddress."""
    if text in PROTOCOLS:
        return Address(text)
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise BadAddress(f"serving@{text}: {error}; {_HELP}") from error
    if parts.scheme not in SCHEMES or not parts.hostname:
        raise BadAddress(f"serving@{text}: allowed are {' '.join(PROTOCOLS)} and URLs; {_HELP}")
    if parts.username is not None or parts.fragment:
        raise BadAddress(f"serving@{text}: a URL has no user and no #fragment here; {_HELP}")
    protocol, secure, usual = SCHEMES[parts.scheme]
    options = _options(text, parts, protocol)
    model, row = options.get("model", ""), options.get("format") == "row"
    return Address(
        protocol, parts.hostname, usual if port is None else port, secure, parts.path.rstrip("/"), model, row
    )


def _options(text: str, parts: SplitResult, protocol: str) -> dict[str, str]:
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    allowed = ("model", "format") if protocol == "v1" else ("model",)
    for key in options:
        if key not in allowed:
            raise BadAddress(f"serving@{text}: unknown option {key!r}, allowed behind ? are {' '.join(allowed)}")
    if options.get("format", "column") not in _FORMATS:
        raise BadAddress(f"serving@{text}: format={options['format']}, allowed are {' '.join(_FORMATS)}")
    if protocol == "grpc" and parts.path.strip("/"):
        raise BadAddress(f"serving@{text}: gRPC has no path, write {parts.scheme}://{parts.netloc}")
    return options
