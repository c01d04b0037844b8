"""Workers that are looked into: models by path, files that are opened, processes and their descendants."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from opconform.harness import proc
from opconform.harness.claims import Subject
from opconform.harness.claims_models import lookup
from opconform.harness.claims_worker import Refused, started

Subjects = Callable[[str], Subject]
MEGABYTE = 1 << 20

pytestmark = pytest.mark.skipif(not proc.can_measure(), reason="no /proc of Linux")


@pytest.mark.parametrize("name", ["lite", "litert"])
def test_a_model_by_its_path_answers_as_its_bytes_do(subject: Subjects, tmp_path: Path, name: str) -> None:
    question, file = lookup(8), tmp_path / "model with a space.tflite"
    file.write_bytes(question.model)
    with started(subject(name).handle) as worker:
        worker.open_file(file)
        by_path = worker.run(question.inputs)
        assert np.array_equal(by_path[0], worker.answer(question)[0])
        assert question.is_answered(by_path)


@pytest.mark.parametrize("name", ["lite", "litert"])
def test_a_path_without_a_model_is_refused_and_the_worker_goes_on(subject: Subjects, tmp_path: Path, name: str) -> None:
    question, empty, nonsense = lookup(8), tmp_path / "empty.tflite", tmp_path / "nonsense.tflite"
    empty.write_bytes(b"")
    nonsense.write_bytes(b"no model at all")
    with started(subject(name).handle) as worker:
        for file in (tmp_path / "missing.tflite", empty, nonsense):
            with pytest.raises(Refused, match=r"^OPEN_FILE: ") as refused:
                worker.open_file(file)
            assert "Error" not in str(refused.value)
            with pytest.raises(Refused, match="no model is open"):
                worker.run(question.inputs)
        assert question.is_answered(worker.answer(question))


def test_files_that_python_code_opens_are_noted(subject: Subjects) -> None:
    with started(subject("lite").handle) as worker:
        worker.answer(lookup(8))
        opened = worker.opened()
    assert any(path.suffix == ".o" for path in opened)
    assert any("runtimes/lite" in str(path) for path in opened)


def test_no_process_and_no_folder_stays_behind(
    subject: Subjects, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    with started(subject("litert").handle) as worker:
        pid = worker.pid
        assert Path(f"/proc/{pid}").is_dir()
    assert proc.resident(pid).total == 0
    assert list(tmp_path.iterdir()) == []


CHILD = "import sys; hoard = bytearray(b'1') * (32 << 20); print('ready', flush=True); sys.stdin.read()"
PARENT = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {CHILD!r}])"


def test_memory_of_a_child_counts_for_its_parent() -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"ready\n"
        members = proc.family(parent.pid)
        assert len(members) == 2
        assert proc.resident(parent.pid).own > 32 * MEGABYTE
        assert proc.resident(members[1]).own > 32 * MEGABYTE
        parent.communicate(b"")


def test_a_peak_that_is_forgotten_begins_anew() -> None:
    program = (
        "import sys\nhoard = bytearray(b'1') * (32 << 20)\ndel hoard\nprint('ready', flush=True)\nsys.stdin.read(1)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        before = proc.peak(process.pid)
        proc.forget_peak(process.pid)
        assert before - proc.peak(process.pid) > 24 * MEGABYTE
        process.communicate(b"1")


def test_a_process_that_has_ended_has_nothing() -> None:
    ended = subprocess.Popen([sys.executable, "-c", "pass"])
    ended.wait()
    assert proc.resident(ended.pid).total == 0
    assert proc.mapped_objects(ended.pid) == frozenset()
    assert proc.peak(ended.pid) == 0


HOLDER = (
    "import mmap, sys; text = b'held' * 1000; soft = bytearray(text); hard = mmap.mmap(-1, 4000, prot=3, flags=34); "
    "hard[:] = text; print('ready', flush=True); sys.stdin.readline(); print(soft[0], hard[0], flush=True)"
)


def test_bytes_of_a_process_are_found_and_written() -> None:
    content, other = b"held" * 1000, b"seen" * 1000
    with subprocess.Popen([sys.executable, "-c", HOLDER], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        found = [place for place in proc.places(process.pid, content) if place.read() == content]
        assert len(found) >= 3
        for place in found:
            assert place.store(other)
            assert place.read() == other
        assert process.communicate(b"\n")[0] == b"%d %d\n" % (other[0], other[0])
    assert list(proc.places(process.pid, content)) == []
