"""The tests of one op spec: a tolerance, the invalid clauses and the laws of every row on every runtime.

All tests of one row on one runtime read the lines of one run of it, the same lines that `opconform run` logs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from opconform.harness.events import Line
from opconform.harness.expr import ExpressionError
from opconform.harness.generate.cases import ReferenceMismatch
from opconform.harness.generate.engine import TIERS
from opconform.harness.isolate import connect
from opconform.harness.registry import Handle, claims_row, resolve
from opconform.harness.runner import expectations_of, load_oracle
from opconform.harness.runtime import Unavailable
from opconform.harness.spec import OpSpec
from opconform.harness.spec_load import load_spec
from opconform.harness.unit import UNIVERSAL, Oracle, Seat, run_unit
from opconform.harness.wording import law_sentence, tolerance_sentence
from opconform.harness.yamlish import SpecError

DEFAULT = ("lite",)
_KEY = pytest.StashKey["Bench"]()


class Deviation(Exception):
    """A test failed; the message is what the reader sees."""


@dataclass(slots=True)
class Bench:
    """The runtimes of a pytest session, and the lines of every row that ran."""

    tier: str
    seed: int
    oracle: Oracle
    handles: tuple[Handle, ...]
    seats: dict[str, Seat] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    lines: dict[tuple[str, str, str], list[Line]] = field(default_factory=dict)

    def seat(self, handle: Handle) -> Seat:
        """Return the started runtime. Raises Unavailable, each time it is asked for."""
        if handle.label in self.missing:
            raise Unavailable(self.missing[handle.label])
        if handle.label not in self.seats:
            try:
                self.seats[handle.label] = Seat(handle, connect(handle), expectations_of(handle))
            except Unavailable as error:
                self.missing[handle.label] = str(error)
                raise
        return self.seats[handle.label]

    def row(self, spec: OpSpec, row: str, handle: Handle) -> list[Line]:
        """Return the lines of one row on one runtime."""
        key = (spec.file, row, handle.label)
        if key not in self.lines:
            seat = self.seat(handle)
            self.lines[key] = run_unit(spec, row, [seat], self.oracle, TIERS[self.tier], self.seed)
        return self.lines[key]

    def close(self) -> None:
        """Stop the runtimes."""
        for seat in self.seats.values():
            seat.executor.close()
        self.seats.clear()


def bench_of(config: pytest.Config) -> Bench:
    """Return the session's bench. Raises what resolve raises; the plugin has checked the names before."""
    if _KEY not in config.stash:
        option = config.option
        handles = tuple(resolve(name) for name in option.opconform_runtime or DEFAULT)
        bench = Bench(option.opconform_tier, option.opconform_seed, load_oracle(), handles)
        config.stash[_KEY] = bench
        config.add_cleanup(bench.close)
    return config.stash[_KEY]


class SpecFile(pytest.File):
    """One op spec."""

    def collect(self) -> Iterator[pytest.Item]:
        """Yield the tests in the order of the file: rows, runtimes, clauses."""
        bench = bench_of(self.config)
        try:
            spec = load_spec(self.path)
        except SpecError as error:
            raise self.CollectError(str(error)) from error
        for row in spec.rows:
            for handle in bench.handles:
                if not handle.manifest.rows or claims_row(handle.manifest, spec.op, row):
                    yield from self._row(spec, row, handle)

    def _row(self, spec: OpSpec, row: str, handle: Handle) -> Iterator[pytest.Item]:
        for sentence, line, label, law in sentences(spec, row, handle):
            name = f"{spec.op} {row} on {handle.label.removesuffix('@host')}: {sentence}".replace("::", ":")
            yield ClauseItem.from_parent(
                self, name=name, spec=spec, row=row, handle=handle, line=line, label=label, law=law
            )


def sentences(spec: OpSpec, row: str, handle: Handle) -> Iterator[tuple[str, int, str, str]]:
    """Yield what a runtime is tested for on a row: sentence, line of the spec, label, name of the law or ""."""
    clause = spec.tolerance[row][0].clause
    yield tolerance_sentence(spec, row, handle.manifest.arithmetic), clause.line, "", ""
    for invalid in spec.invalid:
        if invalid.clause.applies(row):
            yield (
                f"refuses {invalid.clause.label} ({invalid.clause.why})",
                invalid.clause.line,
                invalid.clause.label,
                "",
            )
    for law in (*spec.laws, *UNIVERSAL):
        if law.clause.applies(row):
            yield law_sentence(law), law.clause.line, law.clause.label, law.name


class ClauseItem(pytest.Item):
    """One clause of one row on one runtime."""

    def __init__(
        self, *, spec: OpSpec, row: str, handle: Handle, line: int, label: str, law: str, **keywords: Any
    ) -> None:
        super().__init__(**keywords)
        self._spec, self._row, self._handle = spec, row, handle
        self._line, self._label, self._law = line, label, law
        # With `--dist loadgroup` all tests of a row on a runtime go to one worker, which runs it once.
        self.add_marker(pytest.mark.xdist_group(f"{spec.op}/{row}/{handle.label}"))

    def runtest(self) -> None:
        """Judge the clause by the lines of the row's run."""
        bench = bench_of(self.config)
        try:
            lines = bench.row(self._spec, self._row, self._handle)
        except Unavailable as error:
            pytest.skip(str(error))
        except (ReferenceMismatch, ExpressionError) as error:
            raise Deviation(str(error)) from error
        judge(self._mine(lines), [line for line in lines if line["kind"] == "failure"])
        if not self._label:
            self._enough(lines, TIERS[bench.tier].floor)

    def _mine(self, lines: Sequence[Line]) -> list[Line]:
        """Return the case lines that speak of this clause."""
        cases = [line for line in lines if line["kind"] == "case"]
        if self._law:
            return [line for line in cases if line.get("law") == self._law and line["clause"] == self._label]
        if self._label:
            return [line for line in cases if line["clause"] == self._label and "law" not in line]
        invalid = {i.clause.label for i in self._spec.invalid}
        return [line for line in cases if line["clause"] not in invalid and "law" not in line]

    def _enough(self, lines: Sequence[Line], floor: int) -> None:
        count = sum(int(line["cases"]) for line in lines if line["kind"] == "case")
        if count < floor:
            raise Deviation(f"only {count} cases were judged, the tier asks for {floor}")

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Show the message alone: a traceback would be about the harness."""
        if isinstance(excinfo.value, Deviation):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Return where the clause stands."""
        # The space keeps pytest from taking the name for a dotted one: it would print 0.5 as 0::5.
        return self.path, self._line - 1, f"{self.name} "


def judge(mine: Sequence[Line], failures: Sequence[Line]) -> None:
    """Pass, fail with the counterexamples, xfail what is known, or skip what nothing spoke of."""
    wrong = [line for line in mine if line["expected"] is False]
    known = [str(line["expected"]) for line in mine if isinstance(line["expected"], str)]
    if wrong:
        raise Deviation("\n\n".join(dict.fromkeys(_story(line, failures) for line in wrong)))
    deviating = [line for line in mine if isinstance(line["expected"], str) and line["verdict"] != "declined"]
    if deviating:
        pytest.xfail("; ".join(dict.fromkeys(known)))
    if not any(line["expected"] is True for line in mine):
        pytest.skip("; ".join(dict.fromkeys(known)) or "no case of this run speaks of it")


def _story(line: Line, failures: Sequence[Line]) -> str:
    """Tell one kind of failure by its minimal case: what was found, inputs, want, got, how to replay it."""
    keys = ("verdict", "clause", "runtime", "target")
    shown = next((f for f in failures if all(f[key] == line[key] for key in keys)), None)
    if shown is None:
        return f"{line['case']}: {line['message']}"
    parts = [f"{shown['case']} {shown['runtime']}@{shown['target']}: {shown['message']}"]
    parts += [f"  {name} = {value}" for name, value in shown["attributes"].items()]
    parts += [_tensor(tensor) for tensor in shown["inputs"]]
    if shown["want"] is not None:
        parts += [f"  want {_numbers(shown['want'])}", f"  got  {_numbers(shown['got'])}"]
    if shown["rounding"]:
        parts.append("  rounding: " + ", ".join(f"{name} {share:.0%}" for name, share in shown["rounding"].items()))
    return "\n".join([*parts, f"  {shown['replay']}"])


def _tensor(tensor: Line) -> str:
    quant = f" scale {tensor['scale'][:4]} zero point {tensor['zero_point']}" if tensor["scale"] else ""
    data = f": {_numbers(tensor['data'])}" if tensor["data"] is not None else ""
    return f"  {tensor['name']} {tensor['dtype']}{tensor['shape']} {tensor['role']}{quant}{data}"


def _numbers(values: Sequence[Any] | None) -> str:
    shown = list(values or ())
    return " ".join(str(value) for value in shown[:64]) + (f" ... ({len(shown)} numbers)" if len(shown) > 64 else "")
