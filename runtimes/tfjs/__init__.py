"""tfjs: TensorFlow.js from npm, in Node, behind the wire.

The engine is JavaScript (js/), and so is the worker around it (opconform.targets.javascript); this module says how it
is started. Rows of float32, int32 and bool only: TensorFlow.js has no other numbers.
"""

from __future__ import annotations

from opconform.harness.runtime import Manifest, Session, Unavailable
from opconform.runtimes.tfjs.packages import SOURCES, packages
from opconform.targets.javascript.packages import node_command


class Tfjs:
    """TensorFlow.js on one backend: "node-cpu" or "node-wasm". It never runs in this process."""

    def __init__(self, variant: str = "node-cpu") -> None:
        self._variant = variant or "node-cpu"

    def describe(self) -> Manifest:
        """Return the name; rows and limits stand in runtime.yaml."""
        return Manifest(name="tfjs")

    def open(self, model: bytes) -> Session:
        """Refuse: sessions of tfjs are those of its workers. Raises Unavailable always."""
        raise Unavailable(f"tfjs@{self._variant} runs in a worker of its own; open it with harness.isolate.connect")

    def command(self, variant: str) -> list[str]:
        """Return the command line of a worker. Raises Unavailable where Node or the packages are missing."""
        variant = variant or self._variant
        return node_command(packages(), SOURCES / "engine.mjs", f"tfjs@{variant}", variant.removeprefix("node-"))
