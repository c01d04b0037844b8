"""Collect op specs as tests: `pytest specs --runtime lite -k CONV_2D`.

Light to import, since pytest imports it in every project that has opconform installed: what is heavy is imported
where it is needed (harness/pytest_items.py), and nothing happens unless specs are named or --opconform is given.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from opconform.harness.pytest_items import SpecFile

_MARKS = tuple(re.compile(mark, re.MULTILINE) for mark in (r"^op: *[A-Z][A-Z0-9_]* *$", r"^types:", r"^tolerance:"))


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    """Add the options; --runtime only where specs are named, as other projects may have an option of that name."""
    group = parser.getgroup("opconform", "conformance of neural-network operators")
    config: Any = pluginmanager.get_plugin("pytestconfig")
    given = config.invocation_params.args if config is not None else ()
    short = ("--runtime",) if names_specs(given) else ()
    group.addoption("--opconform", action="store_true", help="Collect the op specs that came with opconform.")
    group.addoption(
        *short, "--opconform-runtime", dest="opconform_runtime", action="append", metavar="NAME[@TARGET]",
        help="Judge this runtime; repeatable (default: lite). Short: --runtime, where specs are named.",
    )  # fmt: skip
    group.addoption(
        "--opconform-tier", default="smoke", choices=("smoke", "pr", "nightly"), help="How much (default: smoke)."
    )
    group.addoption("--opconform-seed", type=int, default=0, help="Seed of all draws (default: 0).")


def names_specs(given: Sequence[object]) -> bool:
    """Tell whether a command line asks for specs: by --opconform, or by a path that is or holds them."""
    return any(str(argument) == "--opconform" or _holds_specs(str(argument)) for argument in given)


def _holds_specs(argument: str) -> bool:
    if argument.startswith("-"):
        return False
    path = Path(argument.partition("::")[0])
    folders = [path, path / "ops"] if path.is_dir() else []
    files = [path] if path.is_file() else [file for folder in folders for file in sorted(folder.glob("*.yaml"))[:1]]
    return any(is_op_spec(file) for file in files)


def is_op_spec(path: Path) -> bool:
    """Tell whether a file is the spec of an op: YAML in a folder named ops, with op, types and tolerance."""
    if path.suffix != ".yaml" or path.parent.name != "ops":
        return False
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return False
    return all(mark.search(text) for mark in _MARKS)


def pytest_configure(config: pytest.Config) -> None:
    """Add the installed specs to what is collected; without any path they are all that is collected.

    Raises pytest.UsageError for an unknown runtime.
    """
    if config.option.opconform_runtime:
        _check_runtimes(config.option.opconform_runtime)
    if not config.option.opconform:
        return
    from opconform.harness.spec_load import spec_folder

    folder = str(spec_folder())
    if config.args_source is not pytest.Config.ArgsSource.ARGS:
        config.args = []
    if folder not in config.args:  # a worker of pytest-xdist has it already
        config.args = [*config.args, folder]


def _check_runtimes(names: Sequence[str]) -> None:
    from opconform.harness.registry import resolve
    from opconform.harness.runtime import RuntimeFailure

    try:
        for name in names:
            resolve(name)
    except RuntimeFailure as error:
        raise pytest.UsageError(str(error)) from error


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> SpecFile | None:
    """Collect an op spec, where the command line asks for specs."""
    if file_path.suffix != ".yaml" or not _asked_for(parent.config, file_path) or not is_op_spec(file_path):
        return None
    from opconform.harness.pytest_items import SpecFile

    file: SpecFile = SpecFile.from_parent(parent, path=file_path)
    return file


def _asked_for(config: pytest.Config, file: Path) -> bool:
    """Tell whether a path of the command line is or holds the file: a bare `pytest` collects no specs."""
    if config.option.opconform:
        return True
    if config.args_source is not pytest.Config.ArgsSource.ARGS:
        return False
    base = config.invocation_params.dir
    paths = [(base / argument.partition("::")[0]).resolve() for argument in config.args]
    return any(path == file.resolve() or path in file.resolve().parents for path in paths)
