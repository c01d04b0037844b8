"""litertjs: LiteRT.js from npm, in Node and in headless Chromium, behind the wire.

The engine is JavaScript (js/engine.mjs), and so is the worker around it (opconform.targets.javascript); this module
says how it is started.
"""

from __future__ import annotations

from opconform.harness.runtime import Manifest, Session, Unavailable
from opconform.targets.javascript.packages import Packages, package_folder
from opconform.targets.javascript.transport import Pages
from opconform.targets.javascript.workers import Engine, chromium_command, node_command

GET = "run: tox -e tfjs (it needs Node 18 or later and npm)"


class LiteRTJS:
    """LiteRT.js at one place, "node" or "chromium". It never runs in this process."""

    def __init__(self, target: str = "node") -> None:
        self._target = target or "node"

    def describe(self) -> Manifest:
        """Return the name; rows and limits stand in runtime.yaml."""
        return Manifest(name="litertjs")

    def open(self, model: bytes) -> Session:
        """Refuse: sessions of litertjs are those of its workers. Raises Unavailable always."""
        raise Unavailable(f"litertjs@{self._target} runs in a worker of its own; open it with harness.isolate.connect")

    def transport(self, target: str) -> Pages | None:
        """Return the transport of a page, None for Node. Raises Unavailable with what is missing."""
        if (target or self._target) != "chromium":
            return None
        return Pages(chromium_command(engine(), "litertjs@chromium", ""))

    def command(self, target: str) -> list[str]:
        """Return the command line of a worker in Node. Raises Unavailable with what is missing."""
        return node_command(engine(), f"litertjs@{target or self._target}", "")


def engine() -> Engine:
    """Return the engine of litertjs."""
    sources = package_folder("runtimes", "litertjs", "js")
    return Engine(sources / "engine.mjs", Packages("litertjs", sources, {}, GET))
