"""Fuzzing: what is sent, what counts as a finding, and that findings can be run again."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from opconform.harness import fuzz, wire
from opconform.harness.cli import app
from opconform.harness.cli.common import AS_EXPECTED, DEVIATIONS, guard
from opconform.harness.flatmodel import Graph, Node, TensorDef, write_model
from opconform.runtimes.micro import build

X = TensorDef("x", "float32", (4,))
MODEL = write_model([Graph((X, X), (Node("ADD", (0, 0), (1,)),), (0,), (1,))])
SAMPLE = fuzz.Sample("add", MODEL, (np.ones(4, np.float32),))

Script = Callable[[str, str], Path]


@pytest.fixture
def script(tmp_path: Path) -> Script:
    """Return a function that makes an executable shell script."""

    def make(name: str, text: str) -> Path:
        path = tmp_path / name
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
        return path

    return make


@pytest.fixture(scope="session")
def programs() -> fuzz.Programs:
    if shutil.which(build.COMPILER) is None:
        pytest.skip("there is no C compiler")
    return fuzz.Programs(build.build("fuzz", "host-asan"), build.build("worker", "host-asan"))


def test_models_and_frames_take_turns_and_nothing_is_found(programs: fuzz.Programs) -> None:
    done = list(fuzz.rounds(programs, [SAMPLE], seed=3, seconds=0))
    assert [one.kind for one in done] == ["models", "frames"]
    assert [one.finding for one in done] == [None, None]
    assert sum(done[0].seen.values()) == fuzz.BATCH
    assert fuzz.summary(done)[0].startswith(f"models: {fuzz.BATCH} (invalid-model ")


def test_the_same_seed_gives_the_same_mutants_and_frames(programs: fuzz.Programs) -> None:
    assert fuzz.fuzz_model(programs, SAMPLE, 7) == fuzz.fuzz_model(programs, SAMPLE, 7)
    assert fuzz.stream([SAMPLE], 7) == fuzz.stream([SAMPLE], 7)
    assert fuzz.stream([SAMPLE], 7) != fuzz.stream([SAMPLE], 8)


def test_streams_hold_sound_and_damaged_frames() -> None:
    kinds, damaged = set[int](), 0
    for seed in range(200):
        data = fuzz.stream([SAMPLE], seed)
        assert data.startswith(wire.encode_frame(wire.HELLO, 0))
        assert data.endswith(wire.encode_frame(wire.BYE, 1))
        frames = [part for part in data.split(wire.MAGIC) if part]
        kinds |= {part[0] for part in frames}
        damaged += MODEL not in data
    assert {wire.OPEN, wire.RUN, wire.CLOSE} <= kinds
    assert 20 < damaged < 150


def test_a_mutant_that_misbehaves_becomes_a_file_that_shows_it_alone(
    programs: fuzz.Programs, script: Script, tmp_path: Path
) -> None:
    # The real program writes the mutant that the broken one stumbled over.
    broken = script("broken", f'[ $# -eq 5 ] && exec {programs.fuzz} "$@"\necho "fuzz: mutant 3" >&2\nkill -ABRT $$')
    found = fuzz.fuzz_model(fuzz.Programs(broken, programs.worker), SAMPLE, 40).finding
    assert found is not None
    assert found.name == "add, mutant 43"
    out = tmp_path / "expected"
    (tmp_path / "add.tflite").write_bytes(MODEL)
    assert fuzz._run([str(programs.fuzz), str(tmp_path / "add.tflite"), "43", "1", "65536", str(out)], b"")[0] == 0
    assert found.data == out.read_bytes() != MODEL
    path = fuzz.keep(found, tmp_path / "findings")
    assert path.read_bytes() == found.data
    assert path.with_suffix(".txt").read_text().startswith("add, mutant 43\nfuzz: mutant 3")
    assert fuzz.replay(fuzz.Programs(broken, programs.worker), path) is not None
    assert fuzz.replay(programs, path) is None


@pytest.mark.parametrize("end", ["exit 99", "kill -SEGV $$", "exit 2"])
def test_a_worker_that_ends_otherwise_than_at_the_end_of_its_input_is_a_finding(script: Script, end: str) -> None:
    worker = script("worker", f"cat >/dev/null\necho 'x.c:3: runtime error: misaligned' >&2\n{end}")
    programs = fuzz.Programs(worker, worker)
    found = fuzz.fuzz_frames(programs, [SAMPLE], 5).finding
    assert found is not None
    assert found.data == fuzz.stream([SAMPLE], 5)
    assert found.reason == "x.c:3: runtime error: misaligned"


def test_a_sanitizer_ends_a_worker_by_a_signal(tmp_path: Path) -> None:
    if shutil.which(build.COMPILER) is None:
        pytest.skip("there is no C compiler")
    source, program = tmp_path / "bad.c", tmp_path / "bad"
    for body in ("volatile int x = 2147483647; x = x + 1;", "volatile char a[2]; volatile int i = 2; a[i] = 1;"):
        source.write_text(f"int main(void) {{ {body} return 1; }}")
        assert fuzz._run([build.COMPILER, *build.SANITIZE, str(source), "-o", str(program)], b"")[0] == 0
        assert fuzz._run([str(program)], b"")[0] == -signal.SIGABRT


def test_a_program_that_hangs_is_a_finding(monkeypatch: pytest.MonkeyPatch, script: Script) -> None:
    monkeypatch.setattr(fuzz, "TIMEOUT", 0.2)
    worker = script("worker", "exec sleep 30")
    found = fuzz.fuzz_frames(fuzz.Programs(worker, worker), [SAMPLE], 5).finding
    assert found is not None
    assert found.reason == "still running after 0 s"


def test_the_command_fuzzes_a_folder_and_replays_a_file(
    programs: fuzz.Programs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "add.tflite").write_bytes(MODEL)
    assert run(monkeypatch, "--models", str(tmp_path), "--seconds", "0") == AS_EXPECTED
    assert "0 findings" in capsys.readouterr().out
    assert run(monkeypatch, "--replay", str(tmp_path / "add.tflite")) == AS_EXPECTED
    assert "nothing misbehaves" in capsys.readouterr().out
    monkeypatch.setattr(fuzz, "replay", lambda *_: fuzz.Finding("a", b"", ".tflite", "x.c:1: runtime error: y"))
    assert run(monkeypatch, "--replay", str(tmp_path / "add.tflite")) == DEVIATIONS
    assert "runtime error: y" in capsys.readouterr().out
    assert run(monkeypatch, "--replay", str(tmp_path / "none.tflite")) == 2
    assert run(monkeypatch, "--models", str(tmp_path / "none")) == 2


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr("sys.argv", ["opconform", "fuzz", *arguments])
    return guard(app)
