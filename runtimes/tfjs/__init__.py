"""tfjs: TensorFlow.js from npm, in Node and in headless Chromium, behind the wire.

The engine is JavaScript (js/), and so is the worker around it (opconform.targets.javascript); this module says how it
is started. Rows of float32, int32 and bool only: TensorFlow.js has no other numbers.
"""

from __future__ import annotations

from opconform.harness.runtime import Manifest, Session, Trainer, Unavailable
from opconform.runtimes.tfjs.engine import engine, trainer_engine
from opconform.runtimes.tfjs.training import NodeTrainer
from opconform.targets.javascript.transport import Pages
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

    def transport(self, target: str) -> Pages | None:
        """Return the transport of a page, None for Node. Raises Unavailable with what is missing."""
        where, _, backend = (target or self._target).partition("-")
        return Pages(chromium_command(engine(), f"tfjs@{target}", backend)) if where == "chromium" else None

    def trainer(self) -> Trainer:
        """Return what trains in Node (harness/runtime.py, Trains). Raises Unavailable as command does, and in pages."""
        if not self._target.startswith("node-"):
            raise Unavailable(f"tfjs@{self._target} is trained in Node: ask tfjs@node-cpu or tfjs@node-wasm")
        return NodeTrainer(node_command(trainer_engine(), f"tfjs@{self._target}", self._target.removeprefix("node-")))

    def command(self, target: str) -> list[str]:
        """Return the command line of a worker in Node. Raises Unavailable with what is missing."""
        target = target or self._target
        return node_command(engine(), f"tfjs@{target}", target.removeprefix("node-"))
