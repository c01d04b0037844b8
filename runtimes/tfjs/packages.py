"""The npm packages of the worker: installed by the lock file into the cache, never by a run."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import asdict
from importlib.resources import files
from pathlib import Path
from typing import Any

from opconform.harness import schema
from opconform.harness.model import CODE_TO_DTYPE
from opconform.harness.runtime import Unavailable

_GET = "run: tox -e tfjs (it needs Node 18 or later and npm)"
_TABLES = ("MODEL", "OPERATOR_CODE", "SUBGRAPH", "TENSOR", "QUANTIZATION", "OPERATOR", "BUFFER")


def sources() -> Path:
    """Return the folder of the JavaScript files."""
    return Path(str(files("opconform") / "runtimes" / "tfjs" / "js"))


def place() -> Path:
    """Return the folder of the installed worker, named by a hash of everything that goes into it."""
    digest = hashlib.sha256(_schema_text().encode())
    for path in sorted(sources().iterdir()):
        if path.is_file():
            digest.update(path.name.encode() + b"\0" + path.read_bytes())
    named = os.environ.get("OPCONFORM_CACHE")
    root = Path(named) if named else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "opconform"
    return root / "tfjs" / digest.hexdigest()[:24]


def _schema_text() -> str:
    """Return the .tflite format as JSON for js/model.mjs."""
    found: dict[str, Any] = {
        "slots": {name: getattr(schema, name) for name in _TABLES},
        "ops": {str(code): {"name": op, "options": table} for op, (code, table) in schema.OPS.items()},
        "options": {name: asdict(options) for name, options in schema.OPTIONS.items()},
        "enums": {name: list(values) for name, values in schema.ENUMS.items()},
        "dtypes": {str(code): name for code, name in CODE_TO_DTYPE.items()},
    }
    return json.dumps(found, sort_keys=True)


def install() -> Path:
    """Install the worker and its packages, if they are not there. Raises Unavailable with npm's own words."""
    final = place()
    if final.is_dir():
        return final
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        raise Unavailable(f"tfjs: there is no node or npm on the PATH; install nodejs and npm, then {_GET}")
    final.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=final.parent) as temporary:
        folder = Path(temporary) / "worker"
        shutil.copytree(sources(), folder)
        (folder / "schema.json").write_text(_schema_text(), encoding="utf-8")
        ended = subprocess.run(
            [npm, "ci", "--no-audit", "--no-fund", "--ignore-scripts"], cwd=folder, capture_output=True, text=True
        )
        if ended.returncode:
            last = next((line for line in ended.stderr.splitlines() if "error" in line.lower()), ended.stderr[-200:])
            raise Unavailable(f"tfjs: npm ci failed: {last.strip()}; check the network and {_GET}")
        try:
            folder.rename(final)
        except OSError:  # another process was first
            if not final.is_dir():
                raise
    return final


def command(variant: str) -> list[str]:
    """Return the command line of a worker of an installed tfjs. Raises Unavailable."""
    node, folder = shutil.which("node"), place()
    if node is None or not folder.is_dir():
        raise Unavailable(f"tfjs: its packages are not installed; {_GET}")
    return [node, str(folder / "node.mjs"), variant.removeprefix("node-"), str(folder / "schema.json")]


if __name__ == "__main__":
    try:
        print(install())
    except Unavailable as error:
        sys.exit(str(error))
