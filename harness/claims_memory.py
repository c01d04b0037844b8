"""memory_mapped_models and base_memory: what a runtime's process has in memory, before and after."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from opconform.harness import claims_boards, proc
from opconform.harness.claim_values import show_size
from opconform.harness.claims import Evidence, Subject
from opconform.harness.claims_models import ROWS, lookup
from opconform.harness.claims_worker import Refused, Worker, idle, started
from opconform.harness.proc import Resident

MAPPED, BASE = "memory_mapped_models", "base_memory"
#: A mapped model of so many bytes may take less than one of this many parts of them in memory.
PART = 10
_FEW_ROWS = 8
_FROM = "resident pages in /proc/PID/smaps_rollup, the peak in VmHWM"


def check_mapped_models(subject: Subject) -> Evidence:
    """Open a model of 64 MiB by its path and use two rows of it: does less than a tenth of it come into memory?

    What the worker has once it has done the same with a small table is subtracted. On a board the model lies in flash.
    """
    if claims_boards.builds_images(subject.handle):
        return claims_boards.check_mapped_models(subject)
    try:
        with started(subject.handle) as worker, tempfile.TemporaryDirectory(prefix="opconform-claims-") as folder:
            return _mapped(worker, Path(folder))
    except Refused as error:
        return Evidence(MAPPED, False, "no mapped model", "OPEN_FILE on the wire", str(error))


def _mapped(worker: Worker, folder: Path) -> Evidence:
    file = folder / "model.tflite"
    _ask(worker, file, _FEW_ROWS)
    before = _settled(worker.pid)
    size, right = _ask(worker, file.with_stem("large"), ROWS)
    after, peak = proc.resident(worker.pid), proc.peak(worker.pid)
    grown = max(after.total, peak) - before.total
    measured = f"+{show_size(max(grown, 0))} of {show_size(size)}"
    source = f"GATHER of two rows from a file; {_FROM}: {_parts(before, after)}"
    if not right:
        return Evidence(MAPPED, False, measured, source, "what it answers from the mapped model is wrong")
    if grown * PART >= size:
        return Evidence(MAPPED, False, measured, source, f"more than a {PART}th of the model is in memory")
    return Evidence(MAPPED, True, measured, source)


def _ask(worker: Worker, file: Path, rows: int) -> tuple[int, bool]:
    """Write a table of so many rows as a model, let the worker open and use it; return its bytes, and whether it is
    answered right."""
    question = lookup(rows)
    with file.open("wb") as out:
        size = out.write(question.model)
        os.fsync(out.fileno())  # pages that are still to be written would count as the worker's own
    worker.open_file(file)
    return size, question.is_answered(worker.run(question.inputs))


def _settled(pid: int) -> Resident:
    """Return what a process has in memory now, from where its peak is counted."""
    proc.forget_peak(pid)
    return proc.resident(pid)


def _parts(before: Resident, after: Resident) -> str:
    """Return by how much memory of its own and pages of files grew."""
    own, files = after.own - before.own, after.files - before.files
    return f"own memory {own / 1024:+,.0f} KB, pages of files {files / 1024:+,.0f} KB"


def check_base_memory(subject: Subject) -> Evidence:
    """Measure what a worker with a tiny model has in memory beyond the interpreter it runs in and beyond its files.

    Code is counted by binary_size, and how much of it is resident is up to the kernel. Kernels are compiled by an
    earlier worker. On a board it is static RAM, arena and stack of the model's image.
    Raises Refused where none of the small models runs.
    """
    if claims_boards.builds_images(subject.handle):
        return claims_boards.check_base_memory(subject)
    with started(subject.handle) as worker:
        worker.use_small_model()
    with idle(subject.handle) as interpreter:
        empty = proc.resident(interpreter.pid) if interpreter.pid else Resident(0, 0)
    with started(subject.handle) as worker:
        words = worker.use_small_model()
        full, count = proc.resident(worker.pid), len(proc.family(worker.pid))
    grown = max(full.own - empty.own, 0)
    minus = f"minus {show_size(empty.own)} of its idle interpreter" if empty.own else "nothing is subtracted"
    source = (
        f"anonymous and shared memory of {count} process{'es' * (count > 1)} after {words}: {show_size(full.own)}, "
        f"{minus}; beside it {show_size(max(full.files - empty.files, 0))} of pages of files"
    )
    return Evidence(BASE, grown, show_size(grown), source)
