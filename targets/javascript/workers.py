"""Command lines of workers in Node and in headless Chromium."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from opconform.harness.runtime import Unavailable
from opconform.targets.javascript.packages import Packages, installed, package_folder

_BROWSERS = ("chromium", "chromium-browser", "google-chrome")


@dataclass(frozen=True, slots=True)
class Engine:
    """A runtime in JavaScript: a module that exports `start(host, label, variant)`, and what it needs from npm."""

    module: Path
    packages: Packages


def driver_packages(get: str) -> Packages:
    """Return what drives a page: Playwright without browsers of its own. `get` says how to get it."""
    return Packages("chromium-driver", _scripts(), {}, get)


def node_command(engine: Engine, label: str, variant: str) -> list[str]:
    """Return the command line of node.mjs. Raises Unavailable with what is missing."""
    return [_node(engine), str(_scripts() / "node.mjs"), *_arguments(engine, label, variant)]


def chromium_command(engine: Engine, label: str, variant: str) -> list[str]:
    """Return the command line of chromium.mjs. Raises Unavailable with what is missing."""
    found = (shutil.which(name) for name in _BROWSERS)
    browser = next((path for path in found if path), None)
    if browser is None:
        names = ", ".join(_BROWSERS)
        raise Unavailable(f"{label}: none of {names} is on the PATH; on Debian run: apt-get install chromium")
    driver = installed(driver_packages(engine.packages.get))
    return [
        _node(engine), str(_scripts() / "chromium.mjs"), browser, str(driver), *_arguments(engine, label, variant)
    ]  # fmt: skip


def _scripts() -> Path:
    return package_folder("targets", "javascript")


def _node(engine: Engine) -> str:
    node = shutil.which("node")
    if node is None:
        raise Unavailable(f"{engine.packages.name}: there is no node on the PATH; {engine.packages.get}")
    return node


def _arguments(engine: Engine, label: str, variant: str) -> list[str]:
    return [str(engine.module), str(installed(engine.packages)), label, variant]
