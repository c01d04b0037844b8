"""Workers in Node and in Chromium with engines of a few lines, for tests of what is around an engine.

They need Node, those in Chromium also Chromium and what drives it. Where that is missing they are skipped with the
reason, unless OPCONFORM_REQUIRE_NODE is set, as the tox environment `tfjs` does: then they fail.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from opconform.harness.isolate import Isolated, Limits
from opconform.harness.pipes import Pipes, Program
from opconform.harness.runtime import Unavailable
from opconform.targets.javascript.packages import Packages, package_folder, place
from opconform.targets.javascript.transport import Pages
from opconform.targets.javascript.workers import Engine, chromium_command, node_command

GET = "run: tox -e tfjs"
Launch = Callable[..., Isolated]

#: An engine whose answer to a RUN is the body of `run`; a tensor is {code, shape, bytes}.
ENGINE = """\
import {{WireError, INVALID_MODEL, UNSUPPORTED}} from "{wire}";
export const start = async (host, label, variant) => ({{
  name: label,
  open(model) {{ {open} }},
  run(tensors) {{ {run} }},
  close() {{}},
}});
"""
ECHO = "return tensors;"


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Engine]:
    """Write an engine; its npm packages count as installed."""

    def write(run: str = ECHO, open: str = "") -> Engine:
        odd = tmp_path / "a folder, #1 of 100%"  # a path that an address must spell otherwise
        odd.mkdir(exist_ok=True)
        lists = tmp_path / "lists"
        lists.mkdir(exist_ok=True)
        for name in ("package.json", "package-lock.json"):
            (lists / name).write_text("{}")
        packages = Packages("engine", lists, {}, GET)
        place(packages).mkdir(parents=True, exist_ok=True)
        module = odd / "engine.mjs"
        wire = (package_folder("targets", "javascript") / "wire.mjs").resolve()
        module.write_text(ENGINE.format(wire=wire, open=open, run=run))
        return Engine(module, packages)

    return write


def lacking(reason: str) -> None:
    """Skip, or fail where the environment asks for these tests."""
    if os.environ.get("OPCONFORM_REQUIRE_NODE"):
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture
def in_node(engine: Callable[..., Engine]) -> Iterator[Launch]:
    """Start an engine in Node."""
    if shutil.which("node") is None:
        lacking("there is no node on the PATH")
    started: list[Isolated] = []

    def launch(limits: Limits | None = None, **bodies: str) -> Isolated:
        started.append(Isolated(Pipes(Program(node_command(engine(**bodies), "engine@node", ""))), limits))
        return started[-1]

    yield launch
    for executor in started:
        executor.close()


@pytest.fixture
def in_chromium(engine: Callable[..., Engine]) -> Iterator[Launch]:
    """Start an engine in a page of Chromium. The transport is its `_transport`."""
    started: list[Isolated] = []

    def launch(limits: Limits | None = None, **bodies: str) -> Isolated:
        try:
            command = chromium_command(engine(**bodies), "engine@chromium", "")
        except Unavailable as error:
            lacking(str(error))
        started.append(Isolated(Pages(command), limits))
        return started[-1]

    yield launch
    for executor in started:
        executor.close()
