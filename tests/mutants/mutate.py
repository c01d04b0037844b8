"""Break the kernels of micro on purpose, one small change at a time, and see whether the smoke tier notices.

For developers; CI does not run it. Example: nice python tests/mutants/mutate.py --op MEAN --op PAD --count 10
With --faults, those of faults.yaml that name the op come first.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml
from edits import Edit, edits

from opconform.harness.compare import Judge, judge
from opconform.harness.encode import encode_case
from opconform.harness.generate.engine import TIERS, Tier, cases
from opconform.harness.isolate import Limits, connect
from opconform.harness.manifest import load_manifest
from opconform.harness.model import Produced, Verdict
from opconform.harness.registry import Handle
from opconform.harness.runner import load_oracle
from opconform.harness.spec import OpSpec
from opconform.harness.spec_load import load_all
from opconform.harness.unit import Oracle, Seat, Tally, prepare, run_laws
from opconform.runtimes.micro import build
from opconform.targets import library

#: Where most of a kernel lies that is written once for several operators; parsing and planning have a fuzzer.
SHARED = re.compile(r'#include "((?:kernel_(?!util|fixed)\w+|binary|broadcast|dense))\.h"')
FAULTS = Path(__file__).with_name("faults.yaml")
LIMITS = Limits(hello=10.0, open=2.0, run=2.0, idle=3.0)
#: A worker that is stopped while it writes its counts on a busy machine leaves none.
ATTEMPTS = 4
FLAGS = tuple(flag for flag in build.FLAGS if not flag.startswith("-W"))


@dataclass(frozen=True)
class Case:
    """One judged case with its model."""

    row: str
    judged: Judge
    model: bytes


@dataclass(frozen=True)
class Mutant:
    """One change of one file."""

    source: Path
    text: str
    edit: Edit

    @property
    def shown(self) -> str:
        return f"{self.source.name}:{self.edit.line}: {self.edit.shown(self.text)}"


@dataclass(frozen=True)
class Shop:
    """Where mutants are built: objects of everything else lie there already."""

    place: Path
    variant: str

    def flags(self) -> tuple[str, ...]:
        root = library.micro_folder()
        optimize = build.VARIANTS[self.variant] if self.variant != "host" else ("-O1",)
        return (*FLAGS, *optimize, "-w", *(f"-I{root / part}" for part in ("include", "src/core", "worker")))

    def object_of(self, source: Path) -> Path:
        return self.place / f"{source.parent.name}-{source.stem}.o"

    def sources(self) -> list[Path]:
        root = library.micro_folder()
        return [
            *sorted((root / "src").glob("*/*.c")),
            *(root / "worker" / name for name in ("worker.c", "watch.c", "host.c")),
        ]

    def prepare(self) -> None:
        registry = self.place / "registry.c"
        registry.write_text(library.registry_text(library.op_stems()))
        for source in [*self.sources(), registry]:
            self.compile(source, self.object_of(source))

    def compile(self, source: Path, target: Path, *extra: str) -> bool:
        command = ["gcc", *self.flags(), *extra, "-c", str(source), "-o", str(target)]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0

    def worker(self, mutant: Mutant | None) -> Path | None:
        """Return the program with one file changed, None where it does not compile."""
        if mutant is None:
            return self.link("original", {})
        changed, compiled = self.place / mutant.source.name, self.place / "mutant.o"
        changed.write_text(mutant.edit.apply(mutant.text))
        return self.link("mutant", {mutant.source: compiled}) if self.compile(changed, compiled) else None

    def counting(self, sources: Sequence[Path]) -> Path | None:
        """Return the program that counts how often each line of these sources runs."""
        objects = {source: self.place / f"counted-{source.stem}.o" for source in sources}
        for source, target in objects.items():
            target.with_suffix(".gcda").unlink(missing_ok=True)
            self.compile(source, target, "--coverage", "-O0")
        return self.link("counting", objects, "--coverage")

    def link(self, name: str, other: Mapping[Path, Path], *extra: str) -> Path | None:
        sources = [*self.sources(), self.place / "registry.c"]
        objects = [str(other.get(source, self.object_of(source))) for source in sources]
        program = self.place / name
        command = ["gcc", *self.flags(), *extra, *objects, "-lm", "-o", str(program)]
        return program if subprocess.run(command, capture_output=True, check=False).returncode == 0 else None

    def lines(self, source: Path) -> set[int]:
        """Return the lines of a source that the counting program has run."""
        command = ["gcov", "--json-format", "--stdout", f"counted-{source.stem}.o"]
        done = subprocess.run(command, cwd=self.place, capture_output=True, text=True, check=True)
        files = [file for text in done.stdout.splitlines() if text for file in json.loads(text)["files"]]
        return {line["line_number"] for file in files if Path(file["file"]).name == source.name
                for line in file["lines"] if line["count"]}  # fmt: skip


def seat_of(program: Path) -> Seat:
    manifest = load_manifest(library.micro_folder() / "runtime.yaml")
    handle = Handle(f"exec:{program}", "micro", "host", manifest, command=(str(program),))
    return Seat(handle, connect(handle, LIMITS), ())


def own_sources(op: str) -> list[Path]:
    """Return the files of an op's kernels."""
    folder = library.micro_folder() / "src" / "ops"
    pattern = re.compile(rf"{op.lower()}(_(float|int|uint)\d+)?")
    return [path for path in sorted(folder.glob("*.c")) if pattern.fullmatch(path.stem)]


def shared_sources(own: Sequence[Path]) -> list[Path]:
    """Return the files that these kernels have in common with others."""
    names = sorted({name for path in own for name in SHARED.findall(path.read_text())})
    return [path for name in names if (path := library.micro_folder() / "src" / "core" / f"{name}.c").is_file()]


def choose(op: str, own: Sequence[Path], reached: Mapping[Path, set[int]], count: int, seed: int) -> list[Mutant]:
    """Draw changes of an op's own files, and of the lines that it runs of shared ones; the same for the same seed."""
    every = []
    for source, lines in reached.items():
        text = source.read_text()
        changes = edits(text)
        # What no case runs in a shared file serves other operators; in a kernel of its own it is a gap.
        every += [Mutant(source, text, edit) for edit in changes if edit.line in lines or source in own]
    return random.Random(f"{seed}/{op}").sample(every, min(count, len(every)))


def faults(op: str) -> list[Mutant]:
    """Return the faults of faults.yaml that an op's cases should show."""
    found = []
    for fault in yaml.safe_load(FAULTS.read_text(encoding="utf-8")):
        if op in fault["ops"]:
            source = library.micro_folder() / "src" / fault["file"]
            text = source.read_text()
            start = text.index(fault["before"])
            line = text.count("\n", 0, start) + 1
            edit = Edit(fault["kind"], start, start + len(fault["before"]), line, fault["after"])
            found.append(Mutant(source, text, edit))
    return found


def generated(spec: OpSpec, oracle: Oracle, tier: Tier, seed: int) -> list[Case]:
    """Return what the tier runs on an op, judged once for all mutants."""
    result = []
    for row in spec.rows:
        for built in cases(spec, row, oracle.kernels[spec.op], tier, seed):
            result.append(Case(row, prepare(spec, built, oracle), encode_case(spec, built.case)))
    return result


def failures(
    spec: OpSpec, work: Sequence[Case], seat: Seat, oracle: Oracle, tier: Tier
) -> Iterator[tuple[str, Verdict]]:
    """Yield what a run finds wrong, in its order: cases by id, laws by their clause."""
    tally = Tally()
    for case in work:
        outcome = seat.executor.execute(case.model, case.judged.case.vectors)
        verdict = judge(case.judged, outcome, "double_rounding")
        if verdict.kind != "pass":
            yield case.judged.case.id, verdict
        elif not case.judged.case.violates and isinstance(outcome, Produced):
            tally.lines.clear()
            run_laws(spec, seat, case.judged, case.model, outcome, oracle, tier, tally)
            wrong = [line for line in tally.lines if line["kind"] == "case" and line["verdict"] != "pass"]
            for line in wrong:
                yield f"{case.judged.case.id} {line['clause']}", Verdict(line["verdict"], line["clause"])


def near(work: Sequence[Case], source: Path) -> list[Case]:
    """Put the rows first whose name ends like the file's: they are most likely to notice."""
    dtype = source.stem.rpartition("_")[2]
    return sorted(work, key=lambda case: dtype not in case.row)


def verdict_of(mutant: Mutant, shop: Shop, spec: OpSpec, work: Sequence[Case], known: set[str], oracle: Oracle) -> str:
    """Return how a mutant ended: "killed ...", "not built" or "survived"."""
    program = shop.worker(mutant)
    if program is None:
        return "not built"
    seat = seat_of(program)
    try:
        for name, verdict in failures(spec, near(work, mutant.source), seat, oracle, TIERS["smoke"]):
            if name not in known:
                return f"killed by {name} {verdict.kind} {verdict.clause}"
    finally:
        seat.executor.close()
    return "survived"


def reach(spec: OpSpec, work: Sequence[Case], shop: Shop, oracle: Oracle) -> dict[Path, set[int]]:
    """Return which lines of an op's files the cases run."""
    own = own_sources(spec.op)
    sources = [*own, *shared_sources(own)]
    for _ in range(ATTEMPTS):
        program = shop.counting(sources)
        if program is None:
            sys.exit("the sources do not link with --coverage; is libgcov installed with gcc?")
        seat = seat_of(program)
        list(failures(spec, work, seat, oracle, TIERS["smoke"]))
        seat.executor.close()
        reached = {source: shop.lines(source) for source in sources}
        if all(reached[source] for source in own):
            return reached
    sys.exit(f"{spec.op}: a kernel seems never to run; the counting worker was stopped before it wrote its counts")


def mutate(op: str, shop: Shop, arguments: argparse.Namespace) -> tuple[int, int]:
    """Try an op's mutants and print one line each; return how many were killed, of how many."""
    specs, oracle = load_all(), load_oracle()
    spec, tier = specs[op], TIERS["smoke"]
    work = generated(spec, oracle, tier, arguments.case_seed)
    original = shop.worker(None)
    if original is None:
        sys.exit("the sources do not link even unchanged; build micro first")
    seat = seat_of(original)
    known = {name for name, _ in failures(spec, work, seat, oracle, tier)}
    seat.executor.close()
    print(f"{op}: {len(work)} cases" + (f", of which the original fails {sorted(known)}" if known else ""), flush=True)
    reached = reach(spec, work, shop, oracle)
    ends = []
    drawn = choose(op, own_sources(op), reached, arguments.count, arguments.seed)
    for mutant in [*(faults(op) if arguments.faults else ()), *drawn]:
        end = verdict_of(mutant, shop, spec, work, known, oracle)
        ends.append(end)
        note = "" if mutant.edit.line in reached.get(mutant.source, {mutant.edit.line}) else " (no case runs this line)"
        print(f"  {end}{note} | {mutant.shown}", flush=True)
    built = [end for end in ends if end != "not built"]
    killed = sum(end != "survived" for end in built)
    print(f"{op}: {killed} of {len(built)} killed", flush=True)
    return killed, len(built)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--op", action="append", required=True, help="an operator; repeatable")
    parser.add_argument("--count", type=int, default=9, help="mutants per operator")
    parser.add_argument("--faults", action="store_true", help="also those of faults.yaml")
    parser.add_argument("--seed", type=int, default=0, help="which mutants")
    parser.add_argument("--case-seed", type=int, default=0, help="which cases: the --seed of opconform run")
    parser.add_argument("--variant", choices=tuple(build.VARIANTS), default="host", help="with sanitizers or without")
    arguments = parser.parse_args()
    started = time.process_time()
    with tempfile.TemporaryDirectory() as place:
        shop = Shop(Path(place), arguments.variant)
        shop.prepare()
        totals = [mutate(op.upper(), shop, arguments) for op in arguments.op]
    killed, built = (sum(column) for column in zip(*totals, strict=True))
    print(f"all: {killed} of {built} killed, {time.process_time() - started:.0f} CPU seconds of the harness")


if __name__ == "__main__":
    main()
