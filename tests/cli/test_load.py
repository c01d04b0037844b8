"""`opconform load` where nothing answers as a server should."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Callable
from typing import Any

from opconform.harness.spec_load import spec_folder

DIGITS = spec_folder().parent / "models" / "digits_int8.tflite"


class Garbage(socketserver.BaseRequestHandler):
    """A server that speaks no HTTP."""

    def handle(self) -> None:
        self.request.recv(65536)
        self.request.sendall(b"SSH-2.0-x\r\n")


def test_where_every_request_is_lost_no_latency_is_told(opconform: Callable[..., Any]) -> None:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Garbage) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        url = f"http://127.0.0.1:{server.server_address[1]}"
        ended = opconform("load", DIGITS, "--url", url, "--clients", 1, "--requests", 2)
        server.shutdown()
    assert ended.code == 1
    assert f"lost 2, different 0, first error: {url}/v2/models/digits_int8" in ended.out
    assert "p50" not in ended.out
    assert "nan" not in ended.out


def test_a_server_that_is_not_there_is_no_bad_input(opconform: Callable[..., Any]) -> None:
    ended = opconform("load", DIGITS, "--url", "http://127.0.0.1:1")
    assert ended.code == 3
    assert ended.err.startswith("opconform: --url http://127.0.0.1:1: there is no server at 127.0.0.1:1: ")
    assert ended.err.count("\n") == 1


def test_an_address_that_is_none_is_bad_input(refused: Callable[..., str]) -> None:
    assert "allowed are v2-binary" in refused("load", DIGITS, "--url", "ftp://h")
