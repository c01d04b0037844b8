"""The npm packages of a runtime: installed by its lock file into the cache, never by a run."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from opconform.harness.runtime import Unavailable
from opconform.targets.cache import cache_root

_LISTS = ("package.json", "package-lock.json")


@dataclass(frozen=True, slots=True)
class Packages:
    """What a runtime needs from npm: the folder of its package.json and lock file, and texts that are put beside them.

    `get` is what a reader does to get them.
    """

    name: str
    folder: Path
    texts: Mapping[str, str]
    get: str


def package_folder(*parts: str) -> Path:
    """Return a folder of this package, installed or in a checkout."""
    return Path(str(files("opconform"))).joinpath(*parts)


def place(packages: Packages) -> Path:
    """Return the folder of the installed packages, named by a hash of everything that goes into it."""
    digest = hashlib.sha256()
    contents = {name: (packages.folder / name).read_bytes() for name in _LISTS}
    contents |= {name: text.encode() for name, text in packages.texts.items()}
    for name, content in sorted(contents.items()):
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
    return cache_root() / "javascript" / f"{packages.name}-{digest.hexdigest()[:24]}"


def install(packages: Packages) -> Path:
    """Install the packages, if they are not there. Raises Unavailable with npm's own words."""
    final = place(packages)
    if final.is_dir():
        return final
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        raise Unavailable(f"{packages.name}: there is no node or npm on the PATH; {packages.get}")
    final.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=final.parent) as temporary:
        folder = Path(temporary) / packages.name
        _fill(folder, packages)
        _run_npm(npm, folder, packages)
        try:
            folder.rename(final)
        except OSError:  # another process was first
            if not final.is_dir():
                raise
    return final


def _fill(folder: Path, packages: Packages) -> None:
    folder.mkdir()
    for name in _LISTS:
        shutil.copyfile(packages.folder / name, folder / name)
    for name, text in packages.texts.items():
        (folder / name).write_text(text, encoding="utf-8")


def _run_npm(npm: str, folder: Path, packages: Packages) -> None:
    command = [npm, "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
    ended = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if ended.returncode:
        last = next((line for line in ended.stderr.splitlines() if "error" in line.lower()), ended.stderr[-200:])
        raise Unavailable(f"{packages.name}: npm ci failed: {last.strip()}; check the network, then {packages.get}")


def installed(packages: Packages) -> Path:
    """Return the folder of the installed packages. Raises Unavailable where they are not there."""
    folder = place(packages)
    if not folder.is_dir():
        raise Unavailable(f"{packages.name}: its npm packages are not installed; {packages.get}")
    return folder


def main(*wanted: Packages) -> str | None:
    """Install packages and print where they are; return the line that says why not, for sys.exit."""
    try:
        for packages in wanted:
            print(install(packages))
    except Unavailable as error:
        return str(error)
    return None
