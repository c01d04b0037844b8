"""binary_size of runtimes in Node: the scripts that V8 ran, by its own record, and the WebAssembly beside them."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Collection, Iterable
from contextlib import suppress
from pathlib import Path
from urllib.parse import unquote, urlparse

from opconform.harness import proc
from opconform.harness.claim_values import show_size
from opconform.harness.claims import Evidence, NotMeasurable, Subject
from opconform.harness.claims_worker import Refused, command_of, interpreter_of, started
from opconform.harness.registry import Handle

_PACKAGES = "node_modules"


def runs_scripts(handle: Handle) -> bool:
    """Tell whether a runtime's worker is a script in Node."""
    return interpreter_of(command_of(handle)) == "Node"


def check_binary_size(subject: Subject) -> Evidence:
    """Add up the files of npm packages that a tiny model makes a worker run."""
    with tempfile.TemporaryDirectory(prefix="opconform-claims-") as folder:
        _record(subject.handle, folder)
        scripts = scripts_of_packages(Path(folder))
    if not scripts:
        raise NotMeasurable("V8 recorded no script of an npm package")
    binaries = webassembly(scripts)
    size = sum(path.stat().st_size for path in (*scripts, *binaries))
    named = ", ".join(f"{path.name} {show_size(path.stat().st_size)}" for path in (*_largest(scripts), *binaries))
    measured = f"{show_size(size)} of scripts and WebAssembly"
    return Evidence("binary_size", size, measured, f"{len(scripts)} scripts in the coverage of V8: {named}")


def _record(handle: Handle, folder: str) -> None:
    """Let V8 write into a folder which scripts a worker runs. Raises Refused and NotMeasurable."""
    with started(handle, ("env", f"NODE_V8_COVERAGE={folder}")) as worker:
        if len(proc.family(worker.pid)) > 1:
            raise NotMeasurable("its scripts run in another program, which does not tell them; ask for one in Node")
        with suppress(Refused):  # its scripts are loaded even where it declines the model
            worker.use_small_model()
        worker.leave()


def scripts_of_packages(folder: Path) -> list[Path]:
    """Return the files of npm packages that ran, from the JSON that V8 wrote into a folder."""
    entries = [entry for file in folder.glob("*.json") for entry in json.loads(file.read_text())["result"]]
    urls = (urlparse(entry["url"]) for entry in entries)
    found = {Path(unquote(url.path)) for url in urls if url.scheme == "file"}
    return sorted(path for path in found if _PACKAGES in path.parts and path.is_file())


def webassembly(scripts: Collection[Path]) -> list[Path]:
    """Return the WebAssembly of the packages of scripts: files of a script's name, else the largest of a package.

    Of several, one a processor, one is used.
    """
    stems = {script.stem for script in scripts}
    every = (sorted(root.rglob("*.wasm"), key=lambda path: path.stat().st_size) for root in _packages(scripts))
    return [next((path for path in found if path.stem in stems), found[-1]) for found in every if found]


def _packages(scripts: Iterable[Path]) -> list[Path]:
    """Return the folders of npm packages: what stands behind the last node_modules, and a scope's name with it."""
    found = set()
    for path in scripts:
        at = len(path.parts) - path.parts[::-1].index(_PACKAGES)
        found.add(Path(*path.parts[: at + 1 + path.parts[at].startswith("@")]))
    return sorted(found)


def _largest(scripts: Iterable[Path]) -> list[Path]:
    return sorted(scripts, key=lambda path: -path.stat().st_size)[:3]
