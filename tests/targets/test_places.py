"""A target is data: a folder outside the package is a board, with nothing changed elsewhere."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from opconform.harness.runtime import Unavailable
from opconform.targets import boards

RISCV = ("riscv64-unknown-elf-gcc", "qemu-system-riscv32")
Outside = Callable[..., Path]


@pytest.fixture
def outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Outside:
    """Return what copies a folder of targets to one of another name outside the package, with its texts changed."""
    monkeypatch.setenv("OPCONFORM_TARGETS", f"{tmp_path / 'nowhere'}:{tmp_path}")

    def copy(name: str, new: str, *changes: tuple[str, str]) -> Path:
        place = tmp_path / new
        shutil.copytree(boards.folder() / name, place)
        for file in place.glob("*.yaml"):
            text = file.read_text()
            for old, changed in (*changes, (f"name: {name}\n", f"name: {new}\n")):
                text = text.replace(old, changed)
            file.write_text(text)
        return place

    return copy


def opconform(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command line in a process of its own, as somebody with a new board does."""
    command = [sys.executable, "-m", "opconform", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=dict(os.environ))


def runs_a_row(board: str, log: Path) -> None:
    done = opconform(*("run", "--op", "RESHAPE", "--row", "int8", "--runtime", f"micro@{board}", "--log", str(log)))
    assert done.returncode == 0, done.stdout + done.stderr
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    ran = {line["target"] for line in lines if line["kind"] == "case" and line["verdict"] == "pass"}
    assert ran == {board}


SMALL = (
    ("ram: {origin: 0x20000000, bytes: 4194304}", "ram: {origin: 0x20000000, bytes: 32768}"),
    *(("model_bytes: 1572864", "model_bytes: 6144"), ("arena_bytes: 2097152", "arena_bytes: 4096")),
    *(("\nstack_bytes: 16384", "\nstack_bytes: 4096"), ("io_bytes: 4096", "io_bytes: 512")),
)


def test_a_copied_board_with_less_memory_runs_a_row(outside: Outside, tmp_path: Path) -> None:
    outside("cortex-m4", "small", *SMALL)
    assert boards.load_target("small").arena_bytes == 4096
    runs_a_row("small", tmp_path / "run.jsonl")


@pytest.mark.skipif(not all(map(shutil.which, RISCV)), reason="the tools of riscv32 are not installed")
def test_a_folder_that_is_architecture_and_board_runs_a_row(outside: Outside, tmp_path: Path) -> None:
    outside("riscv32", "mine", ("architecture: riscv32", "architecture: mine"))
    assert boards.load_architecture("mine").compiler == RISCV[0]
    runs_a_row("mine", tmp_path / "run.jsonl")


def test_a_board_outside_is_one_of_the_boards(outside: Outside) -> None:
    outside("cortex-m4", "cortex-m4-mine")
    assert "micro has no 'none', allowed are host host-asan cortex-m0" in (
        said := opconform("smoke", "micro@none").stderr
    )
    assert " cortex-m4-mine" in said


def test_two_boards_of_one_name_are_refused_with_both_folders(outside: Outside) -> None:
    place = outside("cortex-m4", "cortex-m4")
    with pytest.raises(Unavailable, match=f"{place}; give one another name"):
        boards.load_target("cortex-m4")


def test_a_board_whose_name_is_not_its_folder_is_refused(outside: Outside) -> None:
    outside("cortex-m4", "mine", ("name: cortex-m4\n", "name: theirs\n"))
    with pytest.raises(
        Unavailable, match=r"targets/mine/target.yaml: name is 'theirs', the folder's 'mine' is allowed"
    ):
        boards.load_target("mine")


def test_an_unknown_architecture_is_answered_with_the_known_ones() -> None:
    with pytest.raises(Unavailable, match="architecture 'z80' is unknown; architectures are cortex_m, riscv32"):
        boards.load_architecture("z80")


ARCHITECTURE = (boards.folder() / "riscv32" / "architecture.yaml").read_text()


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("  2: illegal", "  two: illegal", r"exceptions: found the keys .*two.*, numbers are allowed"),
        ("addresses: {mtval:", "addresses: {mfault:", "'mfault' is no register; allowed are mcause, a0"),
        ("[-bios, none]", "-bios none", r"emulator_options: found '-bios none', tuple\[str, \.\.\.\] is allowed"),
        ("mtval, stack]", f"mtval, stack, {', '.join(f'x{n}' for n in range(9))}]", "17 registers, 16 are allowed"),
        ("compiler:", "gcc:", "key 'compiler' is missing or unknown"),
    ],
)
def test_a_bad_architecture_file_is_refused_with_the_key_at_fault(old: str, new: str, words: str) -> None:
    assert old in ARCHITECTURE
    with pytest.raises(Unavailable, match=words) as caught:
        boards.parse_architecture(ARCHITECTURE.replace(old, new, 1), "architecture.yaml")
    assert "\n" not in str(caught.value)
