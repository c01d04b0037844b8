"""tfjs: TensorFlow.js from npm, in Node and in headless Chromium, behind the wire.

The engine is JavaScript (js/), and so is the worker around it (opconform.targets.javascript); this module says how it
is started. Rows of float32, int32 and bool only: TensorFlow.js has no other numbers.
"""

from __future__ import annotations

from opconform.harness.runtime import Manifest, Session, Unavailable
from opconform.runtimes.tfjs.engine import engine
from opconform.targets.javascript.workers import chromium_command, node_command


class Tfjs:
    """TensorFlow.js at one place and on one backend, e.g. "node-cpu". It never runs in this process."""

    def __init__(self, target: str = "node-cpu") -> None:
        self._target = target or "node-cpu"

    def describe(self) -> Manifest:
        """Return the name; rows and limits stand in runtime.yaml."""
        return Manifest(name="tfjs")

    def open(self, model: bytes) -> Session:
        """Refuse: sessions of tfjs are those of its workers. Raises Unavailable always."""
        raise Unavailable(f"tfjs@{self._target} runs in a worker of its own; open it with harness.isolate.connect")

    def command(self, target: str) -> list[str]:
        """Return the command line of a worker. Raises Unavailable where Node, Chromium or the packages are missing."""
        target = target or self._target
        where, _, backend = target.partition("-")
        command = chromium_command if where == "chromium" else node_command
        return command(engine(), f"tfjs@{target}", backend)
