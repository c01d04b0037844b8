"""The loop: rows of ops over runtimes, on one or more processes, into one log."""

from __future__ import annotations

import hashlib
import platform
import time
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from typing import Any

from opconform import __version__
from opconform.harness import costs, crew, crew_ray, events, models_unit
from opconform.harness.errors import InfrastructureError, InputError
from opconform.harness.expectations import Expectation, load_expectations
from opconform.harness.generate.engine import TIERS, Tier
from opconform.harness.isolate import Isolated, connect
from opconform.harness.models_unit import MODEL
from opconform.harness.registry import Handle, claims_row, resolve
from opconform.harness.rotation import Rotation, asked_for, rotation
from opconform.harness.runlog import LogError, LogWriter, taken_up
from opconform.harness.runtime import Unavailable
from opconform.harness.shards import WHOLE, Shard, all_thin, merged, read_part, still_stale
from opconform.harness.spec import OpSpec
from opconform.harness.spec_load import load_all, spec_folder
from opconform.harness.totals import Totals, footer_of
from opconform.harness.unit import Oracle, Seat, run_unit

Line = Mapping[str, Any]
Progress = Callable[[Line], None]
Seating = Sequence[tuple[Handle, Sequence[tuple[str, str]]]]  # who runs, and which rows


class NothingSelected(InputError):
    """The globs select no row; the message lists what there is."""


class TargetFailed(InfrastructureError):
    """A program or board that is there cannot start; the message holds its own words."""


@dataclass(frozen=True, slots=True)
class Selection:
    """What a run does; the same selection, seed and specs give the same log."""

    runtimes: tuple[str, ...]
    ops: tuple[str, ...] = ("*",)
    rows: tuple[str, ...] = ("*",)
    tier: str = "smoke"
    seed: int = 0
    jobs: int = 1
    folder: Path | None = None  # of the op specs; None: those installed
    shard: Shard = WHOLE
    engine: str = "local"  # or "ray"
    address: str = ""  # of a Ray cluster; "": one is started on this machine
    models: tuple[str, ...] = ()  # globs over the models of the zoo, which run after the ops
    zoo: Path | None = None  # description of the models; None: those installed


@dataclass(frozen=True, slots=True)
class Result:
    """How a run ended: the footer, and the exit code of the command."""

    footer: Line
    exit: int


def select(specs: Mapping[str, OpSpec], selection: Selection) -> list[tuple[str, str]]:
    """Return the (op, row) pairs of a selection; raise NothingSelected."""
    for glob in selection.ops:
        if not any(fnmatchcase(op, glob.upper()) for op in specs):
            raise NothingSelected(f"--op {glob}: matches no op; ops: {', '.join(specs)}")
    chosen = [spec for op, spec in specs.items() if any(fnmatchcase(op, glob.upper()) for glob in selection.ops)]
    pairs = [(s.op, row) for s in chosen for row in s.rows if any(fnmatchcase(row, g) for g in selection.rows)]
    if not pairs:
        rows = sorted({row for spec in chosen for row in spec.rows})
        raise NothingSelected(f"--row {' '.join(selection.rows)}: matches no row; rows: {', '.join(rows)}")
    return [pair for pair in pairs if selection.shard.holds("/".join(pair))]


def expectations_of(handle: Handle) -> tuple[Expectation, ...]:
    """Read the known deviations of a runtime that lives in this package (others have none)."""
    folder = spec_folder().parent.parent / "runtimes" / handle.name
    return load_expectations(handle.name, folder / "expected")


def specs_hash(folder: Path | None = None) -> str:
    """Return a hash over all spec files, so that a log names the contract it was judged by."""
    digest = hashlib.sha256()
    for path in sorted((folder or spec_folder()).glob("*.yaml")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def load_oracle() -> Oracle:
    """Return the reference through its entry point."""
    reference: Any = resolve("reference").instantiate()
    return Oracle(reference.kernels, reference.twins)


def run(selection: Selection, log: Path | None, resume: bool = False, progress: Progress | None = None) -> Result:
    """Run a selection and write its log; see docs/run-log.md.

    Raises SpecError, NothingSelected, UnknownRuntime, ManifestError and LogError for bad input, TargetFailed
    before anything is written, KeyboardInterrupt and WorkerLost with the log kept, ready for `resume`.
    """
    started = time.perf_counter()
    cast = _cast(selection)
    if selection.engine == "ray":
        crew_ray.connect(selection.address)  # before a log is begun that nobody could fill
    header = _header(selection, cast.handles, specs_hash(selection.folder))
    kept, old = taken_up(log, header) if resume and log is not None else (0, [])
    writer, totals, report = LogWriter(log), Totals(), progress or _silent
    emit = partial(_emit, writer, totals, report)
    writer.start(kept)
    try:
        if old:
            _emit(None, totals, report, old)
        else:
            emit([header, *cast.missing, *(events.spec_line(cast.specs[op]) for op in _ops(cast.pairs))])
        for lines in _units(_rest(cast, old), selection, [handle.source for handle in cast.seated], cast.turns):
            emit(lines)
        for lines in _costs(cast, selection.shard):
            emit(lines)
        tier, seconds = TIERS[selection.tier], time.perf_counter() - started
        seating = [(handle, cast.turns.share(handle.label, cast.pairs)) for handle in cast.seated]
        stale, thin = _stale(totals, seating, cast.entries), _thin(totals, seating, tier)
        footer, code = footer_of(totals, stale, thin, tier, bool(cast.seated), seconds)
        emit([footer])
    finally:
        writer.close()
    return Result(footer, code)


def merge(paths: Sequence[Path], log: Path, progress: Progress | None = None) -> Result:
    """Make the logs of all parts of a run one log, as one machine would have written it but for times.

    Raises LogError where a log is no complete part, or parts are missing or of different runs.
    """
    parts = [read_part(path) for path in paths]
    if log.exists() and any(log.samefile(path) for path in paths):
        raise LogError(f"{log}: --log is one of the parts, which would be overwritten; give another --log")
    lines, totals, writer = merged(parts), Totals(), LogWriter(log)
    emit = partial(_emit, writer, totals, progress or _silent)
    writer.start()
    try:
        emit(lines)
        rows = [f"{line['op']}/{line['row']}" for line in totals.coverage]
        stale, thin = still_stale(parts, totals.explained), all_thin(parts, rows)
        seated = sum(line["kind"] == "unavailable" for line in lines) < len(lines[0]["runtimes"])
        seconds = sum(float(part.footer["seconds"]) for part in parts)
        footer, code = footer_of(totals, stale, thin, TIERS[lines[0]["tier"]], seated, seconds)
        emit([footer])
    finally:
        writer.close()
    return Result(footer, code)


def _silent(line: Line) -> None:
    """Report nothing."""


def _ops(pairs: Sequence[tuple[str, str]]) -> list[str]:
    return list(dict.fromkeys(op for op, _ in pairs))


def _emit(writer: LogWriter | None, totals: Totals, report: Progress, lines: Sequence[Line]) -> None:
    if writer is not None:
        writer.write(lines)
    for line in lines:
        totals.add(line)
        report(line)


@dataclass(frozen=True, slots=True)
class _Cast:
    """All that a run knows before its first line: what is asked, and who does it."""

    specs: Mapping[str, OpSpec]
    pairs: Sequence[tuple[str, str]]  # (op, row) of this part of the run
    models: Sequence[tuple[str, str]]
    asked: Set[str]  # ops of the whole run
    handles: Sequence[Handle]
    seated: Sequence[Handle]  # those that can run here
    turns: Rotation
    missing: Sequence[Line]  # why the others cannot
    entries: Mapping[str, Sequence[Expectation]]


def _cast(selection: Selection) -> _Cast:
    """Return what a run does and who takes part; a board that has none of the rows takes none."""
    specs = load_all(selection.folder, selection.ops)
    pairs = select(specs, selection)
    models = models_unit.select(selection.zoo, selection.models, selection.shard)
    whole = select(specs, replace(selection, shard=WHOLE))
    everything = whole + models_unit.select(selection.zoo, selection.models, WHOLE)
    asked = asked_for(selection.runtimes)
    installed, missing = _installed(asked)
    turns = rotation(installed, selection.tier, selection.seed)
    idle = {handle.label for handle in installed if not turns.share(handle.label, everything)}
    seated, failed = _started([handle for handle in installed if handle.label not in idle])
    handles = [handle for handle in asked if handle.label not in idle]
    entries = {handle.label: expectations_of(handle) for handle in seated}
    return _Cast(specs, pairs, models, {op for op, _ in whole}, handles, seated, turns, [*missing, *failed], entries)


def _rest(cast: _Cast, old: Sequence[Line]) -> list[tuple[str, str]]:
    """Return the rows and models that an interrupted log does not have yet."""
    done = {(line["op"], line["row"]) for line in old if line["kind"] == "coverage"}
    done |= {(MODEL, line["model"]) for line in old if line["kind"] == "graph"}
    return [pair for pair in (*cast.pairs, *cast.models) if pair not in done]


def _costs(cast: _Cast, shard: Shard) -> Iterator[Sequence[Line]]:
    """Yield the lines of what the ops of this part cost, board by board."""
    priced = [spec for op, spec in cast.specs.items() if op in cast.asked and shard.holds(op)]
    for board in costs.boards_of(cast.seated):
        yield list(costs.cost_lines(priced, board, load_oracle().kernels))


def _installed(handles: Sequence[Handle]) -> tuple[list[Handle], list[Line]]:
    """Split runtimes into those whose packages and programs are here and log lines for those that cannot run."""
    return _sorted_out(handles, lambda handle: connect(handle).close())


def _started(handles: Sequence[Handle]) -> tuple[list[Handle], list[Line]]:
    """Start what is quick to start, as _installed; raise TargetFailed for what is there and does not start."""

    def greet(handle: Handle) -> None:
        executor = connect(handle)
        why = executor.greet() if isinstance(executor, Isolated) and _starts_quickly(handle) else ""
        executor.close()
        if why:
            raise TargetFailed(f"{handle.label} cannot start: {why}; nothing was run: mend it or leave it out")

    return _sorted_out(handles, greet)


def _sorted_out(handles: Sequence[Handle], attempt: Callable[[Handle], None]) -> tuple[list[Handle], list[Line]]:
    good: list[Handle] = []
    missing: list[Line] = []
    for handle in handles:
        try:
            attempt(handle)
            good.append(handle)
        except Unavailable as error:
            missing.append({"kind": "unavailable", "runtime": handle.name, "target": handle.at, "message": str(error)})
    return good, missing


def _starts_quickly(handle: Handle) -> bool:
    """Tell whether a start costs little: programs and boards. Python runtimes import much before they greet."""
    return bool(handle.command) or handle.target != "host"


def _header(selection: Selection, handles: Sequence[Handle], specs: str) -> Line:
    return {
        "kind": "header",
        "format": 1,
        "version": __version__,
        "seed": selection.seed,
        "tier": selection.tier,
        "specs": specs,
        "selection": {"ops": list(selection.ops), "rows": list(selection.rows)}
        | selection.shard.named
        | models_unit.named(selection.zoo, selection.models),
        "runtimes": [
            {
                "name": h.name,
                "target": h.at,
                "version": h.manifest.version,
                "summary": h.manifest.summary,
                "arithmetic": h.manifest.arithmetic,
                "vectors": h.manifest.vectors,
            }
            for h in handles
        ],
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "platform": platform.platform(),
    }


def _stale(totals: Totals, seating: Seating, entries: Mapping[str, Sequence[Expectation]]) -> list[str]:
    """Return the expectations whose rows all ran and that explained nothing, and those whose example is gone."""
    result = [f"{message}; write an example that is a case now" for message in totals.outdated.values()]
    for handle, pairs in seating:
        for entry in entries[handle.label]:
            if (
                not entry.sometimes
                and _ran(entry, handle, pairs)
                and (handle.label, entry.where) not in totals.explained
            ):
                result.append(
                    f"{entry.where}: {handle.label} {entry.case}: matched nothing; remove it or mend its glob"
                )
    return result


def _ran(entry: Expectation, handle: Handle, pairs: Sequence[tuple[str, str]]) -> bool:
    """Tell whether an expectation had its chance: the row of its example ran, or any of its rows where it has none."""
    shown = entry.example.split("/")[:2]
    chosen = [(op, row) for op, row in pairs if not entry.example or [op, row] == shown]
    return any(entry.covers(handle.name, handle.at, op, row) for op, row in chosen)


def _thin(totals: Totals, seating: Seating, tier: Tier) -> list[str]:
    """Return the rows that were judged on fewer vectors than the tier's floor."""
    result = []
    for handle, pairs in seating:
        for op, row in pairs:
            count = totals.judged[f"{handle.name}@{handle.at}", op, row]
            if claims_row(handle.manifest, op, row) and count < tier.floor:
                result.append(f"{op}/{row} {handle.label}: {count} cases, the tier asks for {tier.floor}")
    return result


class Bench:
    """One process's specs, oracle and running runtimes."""

    def __init__(self, selection: Selection, sources: Sequence[str], turns: Rotation) -> None:
        self._specs = load_all(selection.folder, selection.ops)
        self._oracle = load_oracle()
        self._tier, self._seed, self._turns = TIERS[selection.tier], selection.seed, turns
        self._models = None
        if selection.models:
            self._models = models_unit.models_of(selection.zoo, selection.tier, self._oracle)
        handles = [resolve(source) for source in sources]
        self._seats = [Seat(handle, connect(handle), expectations_of(handle)) for handle in handles]

    def unit(self, op: str, row: str) -> list[Line]:
        """Run one row, or one model."""
        seats = [seat for seat in self._seats if self._turns.takes(seat.label, op, row)]
        if op == MODEL and self._models is not None:
            return list(self._models.unit(row, seats))
        return list(run_unit(self._specs[op], row, seats, self._oracle, self._tier, self._seed))

    def close(self) -> None:
        """Stop the runtimes."""
        for seat in self._seats:
            seat.executor.close()


def _units(
    pairs: Sequence[tuple[str, str]], selection: Selection, sources: Sequence[str], turns: Rotation
) -> Iterator[Sequence[Line]]:
    """Yield the lines of every row in the order of the pairs, whoever works on them."""
    make = partial(Bench, selection, sources, turns)
    if selection.engine == "ray":
        return crew_ray.distributed(pairs, make, selection.jobs, selection.address)
    if selection.jobs <= 1 or len(pairs) < 2:
        return crew.alone(pairs, make)
    return crew.together(pairs, make, selection.jobs)
