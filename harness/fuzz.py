"""Fuzzing of micro on the host under sanitizers: mutated models and damaged frames; what is found becomes a file."""

from __future__ import annotations

import hashlib
import os
import random
import re
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from opconform.harness import wire
from opconform.harness.costs import CanonicalError, canonical_case
from opconform.harness.encode import encode_case
from opconform.harness.flatread import random_inputs, read_model
from opconform.harness.generate.cases import Kernel
from opconform.harness.model import Array
from opconform.harness.registry import claims_row
from opconform.harness.runtime import Manifest
from opconform.harness.spec import OpSpec

ARENA_BYTES = 1 << 18
BATCH = 200  # mutants a process: it costs more to start than to run some
STREAM_MODELS = 6
MOST_FRAMES = 4
TIMEOUT = 120.0
#: By a signal: a sanitizer's end must not look like the worker's own "the input has ended", which is 1.
_ENVIRONMENT = {
    "ASAN_OPTIONS": "abort_on_error=1:detect_leaks=0",
    "UBSAN_OPTIONS": "abort_on_error=1:print_stacktrace=1",
}
_WORKER_ENDS = (0, 1)
#: the lines that say what and where
_REASON = re.compile(r"SUMMARY: AddressSanitizer: |runtime error: |still running")
_KINDS = (wire.HELLO, wire.OPEN, wire.RUN, wire.CLOSE, 6, 0, 255)


@dataclass(frozen=True, slots=True)
class Programs:
    """The programs under sanitizers: the fuzzer of models and the wire worker."""

    fuzz: Path
    worker: Path


@dataclass(frozen=True, slots=True)
class Sample:
    """A sound model to start from, with inputs for it."""

    name: str
    model: bytes
    inputs: tuple[Array, ...]


@dataclass(frozen=True, slots=True)
class Finding:
    """What made a program misbehave: `suffix` says whether `data` is a model or a stream of frames."""

    name: str
    data: bytes
    suffix: str
    report: str

    @property
    def reason(self) -> str:
        """Return the line of the report that says what happened."""
        lines = [line.strip() for line in self.report.splitlines() if line.strip()]
        return next((line for line in lines if _REASON.search(line)), lines[0] if lines else "no message")


@dataclass(frozen=True, slots=True)
class Round:
    """One process: how often each outcome came, and what was found."""

    kind: str
    seen: Mapping[str, int]
    finding: Finding | None = None


def samples_of_specs(specs: Sequence[OpSpec], kernels: Mapping[str, Kernel], manifest: Manifest) -> list[Sample]:
    """Return the canonical case of every row that a runtime claims, as models of one op."""
    found = []
    for spec in specs:
        for row in (row for row in spec.rows if claims_row(manifest, spec.op, row)):
            try:
                case = canonical_case(spec, kernels, row).case
            except CanonicalError:
                continue  # the line is written for one row; another may not keep its clauses
            found.append(Sample(f"{spec.op}/{row}", encode_case(spec, case), tuple(case.vectors[0])))
    return found


def samples_of_folder(folder: Path) -> list[Sample]:
    """Return the models of a folder. Raises ModelError for a file that is no model."""
    found = []
    for path in sorted(folder.glob("*.tflite")):
        data = path.read_bytes()
        found.append(Sample(path.name, data, random_inputs(read_model(data, str(path)), 1, 1)[0]))
    return found


def rounds(programs: Programs, samples: Sequence[Sample], seed: int, seconds: float) -> Iterator[Round]:
    """Yield rounds until the time is over, at least one of models and one of frames; models and frames alternate."""
    end = time.monotonic() + seconds
    order = random.Random(seed).sample(samples, len(samples))
    number = 0
    while number < 2 or time.monotonic() < end:
        if number % 2 == 0:
            yield fuzz_model(programs, order[number // 2 % len(order)], seed + BATCH * number)
        else:
            yield fuzz_frames(programs, samples, seed + number)
        number += 1


def fuzz_model(programs: Programs, sample: Sample, seed: int, count: int = BATCH) -> Round:
    """Open and run mutants of a model in one process."""
    with tempfile.TemporaryDirectory() as place:
        path, out = Path(place) / "model.tflite", Path(place) / "mutant.tflite"
        path.write_bytes(sample.model)
        command = [str(programs.fuzz), str(path), str(seed), str(count), str(ARENA_BYTES)]
        code, output, report = _run(command, b"")
        if code == 0:
            return Round(
                "models", {name: int(number) for name, number in (line.split() for line in output.splitlines())}
            )
        named = re.search(r"fuzz: mutant (\d+)", report)
        mutant = seed + int(named.group(1)) if named else seed
        subprocess.run([command[0], str(path), str(mutant), "1", str(ARENA_BYTES), str(out)], check=False)
        data = out.read_bytes() if out.is_file() else sample.model
        return Round("models", {"misbehaved": 1}, Finding(f"{sample.name}, mutant {mutant}", data, ".tflite", report))


def fuzz_frames(programs: Programs, samples: Sequence[Sample], seed: int) -> Round:
    """Send one worker a stream of frames, many of them damaged."""
    data = stream(samples, seed)
    code, _, report = _run([str(programs.worker)], data)
    if code in _WORKER_ENDS:
        return Round("frames", {"ended": 1})
    return Round("frames", {"misbehaved": 1}, Finding(f"frames {seed}", data, ".frames", report))


def replay(programs: Programs, path: Path) -> Finding | None:
    """Run what was found again; None where nothing misbehaves any more."""
    data = path.read_bytes()
    if path.suffix == ".frames":
        code, _, report = _run([str(programs.worker)], data)
        return None if code in _WORKER_ENDS else Finding(path.name, data, path.suffix, report)
    code, _, report = _run([str(programs.fuzz), str(path), "0", "0", str(ARENA_BYTES)], b"")
    return None if code == 0 else Finding(path.name, data, path.suffix, report)


def keep(finding: Finding, folder: Path) -> Path:
    """Write a finding and, beside it, the report of the sanitizer; return the path of the finding."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{hashlib.sha256(finding.data).hexdigest()[:12]}{finding.suffix}"
    path.write_bytes(finding.data)
    path.with_suffix(".txt").write_text(f"{finding.name}\n{finding.report}", encoding="utf-8")
    return path


def summary(done: Sequence[Round]) -> list[str]:
    """Return a line for models and one for frames."""
    lines = []
    for kind in ("models", "frames"):
        seen = Counter[str]()
        for one in done:
            if one.kind == kind:
                seen.update(one.seen)
        parts = ", ".join(f"{name} {number}" for name, number in sorted(seen.items()))
        lines.append(f"{kind}: {sum(seen.values())} ({parts})")
    return lines


def stream(samples: Sequence[Sample], seed: int) -> bytes:
    """Return frames as bytes: models are opened and run, and most of what is sent is damaged."""
    draw = random.Random(seed)
    parts = [wire.encode_frame(wire.HELLO, 0)]
    for sample in draw.sample(samples, min(STREAM_MODELS, len(samples))):
        parts.append(_damaged(draw, wire.OPEN, sample.model, 0.4))
        run = wire.encode_run(sample.inputs)
        parts += [_damaged(draw, wire.RUN, run, 0.8) for _ in range(draw.randint(1, MOST_FRAMES))]
        parts += [_damaged(draw, draw.choice(_KINDS), b"", 0.5) for _ in range(draw.randint(0, 2))]
    return b"".join(parts) + wire.encode_frame(wire.BYE, 1)


def _damaged(draw: random.Random, kind: int, payload: bytes, chance: float) -> bytes:
    """Return a frame; with `chance` its payload, header or whole is damaged."""
    sequence = draw.randrange(1 << 32)
    if draw.random() >= chance:
        return wire.encode_frame(kind, sequence, payload)
    damage = draw.choice(_DAMAGES)
    return damage(draw, kind, sequence, payload)


def _payload(draw: random.Random, kind: int, sequence: int, payload: bytes) -> bytes:
    """Damage what the frame carries; its CRC is right, so that it is read."""
    data = bytearray(payload)
    for _ in range(draw.randint(1, 6) if data else 0):
        at = draw.randrange(len(data)) & ~3 if draw.random() < 0.7 else draw.randrange(len(data))
        data[at : at + 4] = draw.choice(_WORDS)
    return wire.encode_frame(kind, sequence, bytes(data))


def _length(draw: random.Random, kind: int, sequence: int, payload: bytes) -> bytes:
    """Cut or extend the payload."""
    cut = payload[: draw.randrange(len(payload) + 1)] + bytes(draw.choice((0, 0, 1, 4, 64)))
    return wire.encode_frame(kind, sequence, cut)


def _header(draw: random.Random, kind: int, sequence: int, payload: bytes) -> bytes:
    """Damage a byte of the header."""
    frame = bytearray(wire.encode_frame(kind, sequence, payload))
    frame[draw.randrange(wire.HEADER.size)] = draw.randrange(256)
    return bytes(frame)


def _noise(draw: random.Random, kind: int, sequence: int, payload: bytes) -> bytes:
    """Put bytes that are no frame before one."""
    return draw.randbytes(draw.randint(1, 40)) + wire.encode_frame(kind, sequence, payload)


_DAMAGES: tuple[Callable[[random.Random, int, int, bytes], bytes], ...] = (_payload, _payload, _length, _header, _noise)
_WORDS = tuple(
    number.to_bytes(4, "little") for number in (0, 1, 2, 4, 0x7F, 0xFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
)


def _run(command: Sequence[str], data: bytes) -> tuple[int, str, str]:
    """Return exit status, output and messages of a program; a hang is a status of its own."""
    environment = {**os.environ, **_ENVIRONMENT}
    try:
        done = subprocess.run(command, input=data, capture_output=True, timeout=TIMEOUT, check=False, env=environment)
    except subprocess.TimeoutExpired:
        return -1, "", f"still running after {TIMEOUT:.0f} s"
    return done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
