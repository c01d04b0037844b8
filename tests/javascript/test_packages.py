"""npm packages come by the lock file, once, and what is missing is said in one line."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from opconform.harness.runtime import Unavailable
from opconform.runtimes.litertjs import engine as litertjs
from opconform.runtimes.tfjs.engine import engine as tfjs
from opconform.targets.javascript.packages import Packages, install, installed, main, place
from opconform.targets.javascript.workers import Engine, chromium_command, driver_packages, node_command

NPM_CI = '#!/bin/sh\necho "$@" >>"$NPM_LOG"\n[ -f package-lock.json ] && mkdir node_modules\n'
NPM_FAILS = (
    '#!/bin/sh\necho "npm warn old" >&2\necho "npm error code ENETDOWN" >&2\necho "npm error more" >&2\nexit 1\n'
)


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Packages:
    monkeypatch.setenv("OPCONFORM_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "lists"
    folder.mkdir()
    (folder / "package.json").write_text('{"name": "some"}')
    (folder / "package-lock.json").write_text('{"lockfileVersion": 3}')
    return Packages("some", folder, {"facts.json": "[1]"}, "run: tox -e some")


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Put programs, and no others, on the PATH; what npm was asked goes into the file that is returned."""

    def put(**scripts: str) -> Path:
        folder = tmp_path / "bin"
        folder.mkdir()
        for name, text in scripts.items():
            (folder / name).write_text(text)
            (folder / name).chmod(0o755)
        monkeypatch.setenv("NPM_LOG", str(tmp_path / "npm.log"))
        monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin" if "npm" in scripts else str(folder))
        return tmp_path / "npm.log"

    return put


def test_packages_are_installed_once_by_the_lock_file_and_run_no_scripts(
    packages: Packages, programs: Callable[..., Path]
) -> None:
    log = programs(npm=NPM_CI, node="")
    folder = install(packages)
    assert install(packages) == folder == installed(packages)
    assert log.read_text().splitlines() == ["ci --no-audit --no-fund --ignore-scripts"]
    assert (folder / "facts.json").read_text() == "[1]"
    assert (folder / "node_modules").is_dir()


@pytest.mark.parametrize("changed", ["package.json", "package-lock.json", "facts.json"])
def test_whatever_goes_into_the_folder_names_it(packages: Packages, changed: str) -> None:
    before = place(packages)
    if changed == "facts.json":
        packages = replace(packages, texts={changed: "[2]"})
    else:
        (packages.folder / changed).write_text("{}")
    assert place(packages) != before


def test_words_of_npm_reach_the_reader_in_one_line_and_nothing_stays_behind(
    packages: Packages, programs: Callable[..., Path]
) -> None:
    programs(npm=NPM_FAILS, node="")
    with pytest.raises(Unavailable, match=r"^some: npm ci failed: npm error code ENETDOWN; .*run: tox -e some$"):
        install(packages)
    assert list(place(packages).parent.iterdir()) == []


def test_a_machine_without_node_is_told_how_to_get_it(packages: Packages, programs: Callable[..., Path]) -> None:
    programs()
    with pytest.raises(Unavailable, match="no node or npm on the PATH; run: tox -e some"):
        install(packages)
    assert main(packages) == "some: there is no node or npm on the PATH; run: tox -e some"
    with pytest.raises(Unavailable, match="no node on the PATH"):
        node_command(Engine(packages.folder / "engine.mjs", packages), "some@node", "")


def test_packages_that_are_not_installed_are_not_installed_by_a_run(
    packages: Packages, programs: Callable[..., Path]
) -> None:
    log = programs(npm=NPM_CI, node="")
    with pytest.raises(Unavailable, match="its npm packages are not installed; run: tox -e some"):
        node_command(Engine(packages.folder / "engine.mjs", packages), "some@node", "")
    assert not log.exists()


def test_a_machine_without_chromium_is_told_how_to_get_it(packages: Packages, programs: Callable[..., Path]) -> None:
    programs(node="")
    with pytest.raises(Unavailable, match=r"^some@chromium: none of chromium, .* apt-get install chromium$"):
        chromium_command(Engine(packages.folder / "engine.mjs", packages), "some@chromium", "")


@pytest.mark.parametrize(
    "packages", [tfjs().packages, litertjs().packages, driver_packages("")], ids=lambda packages: packages.name
)
def test_lock_files_pin_every_package_by_its_hash_and_name_no_registry(packages: Packages) -> None:
    lock = json.loads((packages.folder / "package-lock.json").read_text())
    wanted = json.loads((packages.folder / "package.json").read_text())["dependencies"]
    locked = {path: entry for path, entry in lock["packages"].items() if path}
    assert all(entry["integrity"].startswith("sha512-") and "resolved" not in entry for entry in locked.values())
    assert wanted == {name: locked[f"node_modules/{name}"]["version"] for name in wanted}
