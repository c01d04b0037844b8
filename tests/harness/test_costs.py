"""What ops cost is measured with one legal case each, logged, and held against budgets that say where they stand."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from opconform.harness import budgets, costs, costs_update
from opconform.harness.budgets import FlashTable, OpFlash
from opconform.harness.cli import size
from opconform.harness.costs import Cost, Figures
from opconform.harness.encode import encode_case
from opconform.harness.model import Array, Declined, Infra, Outcome, Produced
from opconform.harness.registry import resolve
from opconform.harness.runner import Selection, load_oracle, run
from opconform.harness.runtime import Unavailable
from opconform.harness.spec import OpSpec
from opconform.harness.spec_load import load_all, parse_spec, spec_folder
from opconform.harness.totals import Totals
from opconform.harness.yamlish import SpecError
from opconform.targets.boards import Target, load_target, target_names

SPECS = load_all()
BOARD = "cortex-m4"
METERS = {"stack": 400, "scratch": 24, "arena": 208, "instructions": 12000}


@dataclass
class FakeBoard:
    """An executor that answers every model with the same outcome."""

    outcome: Outcome
    models: list[bytes] = field(default_factory=list)

    def execute(self, model: bytes, vectors: Sequence[Sequence[Array]]) -> Outcome:
        self.models.append(model)
        return self.outcome

    def run(self, vectors: Sequence[Sequence[Array]]) -> Outcome:
        return self.outcome

    def renew(self) -> None:
        pass

    def close(self) -> None:
        pass


def table(own: int = 700) -> FlashTable:
    ops = {"ABS": OpFlash(own, 300, own + 300), "ADD": OpFlash(1, 2, 3)}
    return FlashTable(BOARD, 7000, 3000, 900, 60000, 164, ops, {})


def measured(outcome: Outcome, own: int = 700, ops: Sequence[str] = ("ABS",)) -> list[Cost]:
    """Return what measuring gives where the board and the linker answer as told."""
    kernels = load_oracle().kernels
    specs = [SPECS[op] for op in ops]
    handle = resolve(f"micro@{BOARD}")
    return list(costs.measure(specs, handle, kernels, lambda board: table(own), FakeBoard(outcome)))


def with_budget(spec: OpSpec, **limits: int) -> OpSpec:
    return replace(spec, budgets={BOARD: limits}, budget_lines={BOARD: 88})


@pytest.mark.parametrize("op", SPECS)
def test_every_op_has_a_canonical_case_that_its_spec_allows_on_every_row(op: str) -> None:
    spec, kernels = SPECS[op], load_oracle().kernels
    assert spec.canonical
    for row in spec.rows:
        built = costs.canonical_case(spec, kernels, row)
        assert len(built.case.vectors) == 1
        assert built.case.id == f"{op}/{row}/canonical"
        assert len(encode_case(spec, built.case)) <= load_target("cortex-m0").model_bytes


@pytest.mark.parametrize("op", ["CONV_2D", "STRIDED_SLICE", "SOFTMAX", "GATHER"])
def test_a_canonical_case_has_the_settings_of_its_spec_and_is_always_the_same(op: str) -> None:
    spec, kernels = SPECS[op], load_oracle().kernels
    one, two = (costs.canonical_case(spec, kernels, "int8") for _ in range(2))
    assert encode_case(spec, one.case) == encode_case(spec, two.case)
    assert [v.tobytes() for v in one.case.vectors[0]] == [v.tobytes() for v in two.case.vectors[0]]
    for name, value in spec.canonical.items():
        found = one.env[name]
        if isinstance(value, dict):
            assert {key: list(getattr(found, key)) for key in value} == value
        else:
            assert found == (tuple(value) if isinstance(value, list) else value)


def test_optional_slots_are_there_and_what_may_be_constant_is() -> None:
    kernels = load_oracle().kernels
    roles = [slot.role for slot in costs.canonical_case(SPECS["FULLY_CONNECTED"], kernels, "int8").case.inputs]
    assert roles == ["input", "constant", "constant"]
    assert costs.canonical_case(SPECS["GATHER"], kernels, "int8").case.inputs[1].role == "constant"


def test_costs_are_measured_on_int8_where_it_is_claimed_else_on_the_first_claimed_row() -> None:
    manifest = resolve("micro@cortex-m4").manifest
    assert costs.canonical_row(SPECS["CONV_2D"], manifest) == "int8"
    assert costs.canonical_row(SPECS["RANDOM_UNIFORM"], manifest) == "float32"
    without = replace(manifest, except_rows=("CONV_2D/int8",))
    assert costs.canonical_row(SPECS["CONV_2D"], without) == SPECS["CONV_2D"].rows[0]
    assert costs.canonical_row(SPECS["CONV_2D"], replace(manifest, rows=("ABS",))) == ""


def changed(op: str, old: str, new: str) -> str:
    text = (spec_folder() / f"{op}.yaml").read_text()
    assert text.count(old) == 1
    return text.replace(old, new)


def test_a_canonical_line_that_leaves_a_draw_open_is_refused_with_its_place() -> None:
    text = changed("softmax", "canonical: {A: [4, 10], beta: 1.0}", "canonical: {A: [4, 10]}")
    with pytest.raises(SpecError, match=r"s\.yaml:\d+: canonical gives no value for beta; every draw needs one"):
        parse_spec(text, "s.yaml")


def test_a_canonical_line_that_settles_what_nothing_draws_is_refused_with_what_is_allowed() -> None:
    text = changed("softmax", "beta: 1.0}", "beta: 1.0, D: 10}")
    with pytest.raises(SpecError, match=r"settles 'D', which nothing draws; allowed: A, beta"):
        parse_spec(text, "s.yaml")


def test_a_canonical_case_that_breaks_a_clause_names_it() -> None:
    spec = replace(SPECS["CONV_2D"], canonical={**SPECS["CONV_2D"].canonical, "CG": 100})
    with pytest.raises(costs.CanonicalError, match=r"conv_2d\.yaml: canonical gives no legal case of row int8 .*R2"):
        costs.canonical_case(spec, load_oracle().kernels, "int8")


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"instructions": 11999}, "ABS micro@cortex-m4: instructions 12000, budget 11999 (specs/ops/abs.yaml:88)"),
        ({"own": 699}, "ABS micro@cortex-m4: own 700, budget 699 (specs/ops/abs.yaml:88)"),
        ({"stack": 16, "own": 700}, "ABS micro@cortex-m4: stack 400, budget 16 (specs/ops/abs.yaml:88)"),
    ],
)
def test_a_kernel_above_a_budget_is_an_unexpected_line_with_both_numbers_and_the_place(
    limits: dict[str, int], message: str
) -> None:
    (cost,) = measured(Produced((), METERS))
    line = costs.cost_line(cost, with_budget(SPECS["ABS"], **limits), {})
    assert (line["verdict"], line["expected"], line["message"]) == ("over-budget", False, message)
    totals = Totals()
    totals.add(line)
    assert (totals.unexpected, totals.verdicts["over-budget"], totals.infra, totals.cases) == (1, 1, 0, 0)


def test_a_kernel_at_its_budgets_passes() -> None:
    (cost,) = measured(Produced((), METERS))
    line = costs.cost_line(cost, with_budget(SPECS["ABS"], own=700, **METERS), {})
    assert (line["verdict"], line["expected"], line["message"]) == ("pass", True, "")
    totals = Totals()
    totals.add(line)
    assert (totals.unexpected, dict(totals.verdicts), totals.lines) == (0, {}, 1)


def test_a_cost_line_carries_figures_budget_and_baseline() -> None:
    (cost,) = measured(Produced((), {**METERS, "loads": 9}))
    old = {BOARD: {"flash": {"ops": {"ABS": {"own": 1, "shared": 2, "alone": 3}}}, "meters": {"ABS": {"stack": 4}}}}
    line = costs.cost_line(cost, with_budget(SPECS["ABS"], own=800), old)
    figures = {name: line[name] for name in ("own", "shared", "alone", *costs.METERS)}
    assert figures == {"own": 700, "shared": 300, "alone": 1000, **METERS}
    assert line["budget"] == {"own": 800}
    assert line["baseline"] == {"own": 1, "shared": 2, "alone": 3, "stack": 4}
    assert (line["kind"], line["op"], line["runtime"], line["target"]) == ("cost", "ABS", "micro", BOARD)


def test_without_a_toolchain_the_flash_is_missing_and_exceeds_nothing() -> None:
    def no_linker(board: Target) -> FlashTable:
        raise Unavailable("arm-none-eabi-gcc is missing")

    board = FakeBoard(Produced((), METERS))
    handle, kernels = resolve(f"micro@{BOARD}"), load_oracle().kernels
    (cost,) = costs.measure([SPECS["ABS"]], handle, kernels, no_linker, board)
    assert cost.figures == Figures(**METERS)
    line = costs.cost_line(cost, with_budget(SPECS["ABS"], own=0), {})
    assert (line["own"], line["verdict"]) == (None, "pass")


@pytest.mark.parametrize(
    ("outcome", "verdict", "infra"), [(Declined("no room"), "declined", 0), (Infra("no QEMU"), "infra", 1)]
)
def test_an_op_whose_canonical_case_does_not_run_is_a_deviation_that_says_why(
    outcome: Outcome, verdict: str, infra: int
) -> None:
    (cost,) = measured(outcome)
    line = costs.cost_line(cost, SPECS["ABS"], {})
    assert (line["verdict"], line["expected"], line["own"], line["stack"]) == (verdict, False, 700, None)
    assert line["message"].startswith("ABS micro@cortex-m4: the canonical case (int8) has no costs: no ")
    totals = Totals()
    totals.add(line)
    assert (totals.unexpected, totals.infra) == (1, infra)


def test_only_micro_on_boards_is_measured_and_only_ops_that_it_claims() -> None:
    handles = [resolve(name) for name in ("lite", "micro@host", "micro@cortex-m0", "micro@cortex-m55")]
    assert [handle.at for handle in costs.boards_of(handles)] == ["cortex-m0", "cortex-m55"]
    handle = resolve(f"micro@{BOARD}")
    shy = replace(handle, manifest=replace(handle.manifest, rows=("TANH",)))
    kernels, board = load_oracle().kernels, FakeBoard(Produced((), METERS))
    found = list(costs.measure([SPECS["ABS"], SPECS["TANH"]], shy, kernels, lambda _: table(), board))
    assert [(cost.op, cost.figures.own) for cost in found] == [("TANH", None)]
    assert len(board.models) == 1


def test_every_op_of_micro_has_budgets_and_a_baseline_within_them_on_every_board() -> None:
    baseline, manifest = budgets.read_baseline(), resolve("micro").manifest
    for op, spec in SPECS.items():
        if not costs.canonical_row(spec, manifest):
            continue
        assert set(spec.budgets) == set(target_names()), op
        for board, limits in spec.budgets.items():
            figures = costs.baseline_of(baseline, board, op)
            assert set(limits) == {"own", *costs.METERS} & set(figures), (op, board)
            assert {name for name, limit in limits.items() if figures[name] > limit} == set(), (op, board)
            line = (spec_folder() / f"{op.lower()}.yaml").read_text().splitlines()[spec.budget_lines[board] - 1]
            assert line.split(":")[0].strip() == board


@pytest.mark.parametrize(
    ("name", "found", "limit"),
    [
        *(("own", 0, 0), ("own", 160, 176), ("own", 161, 192), ("arena", 8, 16)),
        *(("instructions", 135439, 150000), ("instructions", 9000, 9900), ("instructions", 95, 110)),
    ],
)
def test_a_budget_is_a_tenth_more_rounded_up(name: str, found: int, limit: int) -> None:
    assert costs_update.limit_for(name, found) == limit


def test_renewed_budgets_stand_at_the_end_and_change_nothing_else() -> None:
    text = "op: X\n\n# old budgets\nbudgets:\n  k: {own: 2}\n\n  j: {own: 3}\n\ncanonical: {A: [1]}\n"
    new = costs_update.with_budgets(text, {"k": {"own": 16, "stack": 32}})
    assert new.startswith("op: X\n\ncanonical: {A: [1]}\n\n# ")
    assert new.endswith("\nbudgets:\n  k: {own: 16, stack: 32}\n")
    assert new.count("budgets:") == 1
    assert costs_update.with_budgets(new, {"k": {"own": 16, "stack": 32}}) == new


def test_renewing_keeps_boards_and_figures_that_were_not_measured_and_names_what_rises() -> None:
    old = {"cortex-m0": {"own": 10}, BOARD: {"own": 16, "stack": 999, "arena": 1000}}
    new = costs_update.renewed(old, [Cost("ABS", BOARD, Figures(own=160, arena=100))])
    assert new == {"cortex-m0": {"own": 10}, BOARD: {"own": 176, "stack": 999, "arena": 112}}
    assert costs_update.raised("ABS", old, new) == ["ABS cortex-m4: budget of own raised from 16 to 176"]


@pytest.fixture
def fake_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make `opconform size` measure a fake board and write below tmp_path; return the folder of the spec copies."""
    folder = tmp_path / "ops"
    shutil.copytree(spec_folder(), folder)
    found = size.Measured(BOARD, table(9999), tuple(measured(Produced((), {**METERS, "stack": 300}), 9999)))
    monkeypatch.setattr(size, "measured", lambda target, specs, kernels: found)
    monkeypatch.setattr(size, "spec_folder", lambda: folder)
    monkeypatch.setattr(size, "load_all", lambda: load_all(folder))
    monkeypatch.setattr(budgets, "folder", lambda: tmp_path)
    return folder


def test_size_prints_an_object_with_core_lib_and_ops(fake_size: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = size.command(None, [BOARD], ["ABS"], as_json=True)
    out, err = capsys.readouterr()
    found = json.loads(out)
    assert (found["core"], found["lib"]) == (7000, 900)
    figures = {"own": 9999, "shared": 300, "alone": 10299, **METERS, "stack": 300}
    assert found["ops"] == {"ABS": figures}
    assert code == 1
    assert err.startswith("ABS micro@cortex-m4: own 9999, budget ")


def test_size_lists_what_differs_from_the_baseline_and_what_is_over_budget(
    fake_size: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flash = {"core": 7100, "ops": {"ADD": {"own": 5}, "TANH": {"own": 6}}}
    budgets.write_baseline({BOARD: {"flash": flash, "meters": {"ABS": METERS, "ADD": METERS}}})
    assert size.command(None, [BOARD], ["ABS"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert "  flash/core: 7100 -> 7000 (-100)" in lines
    assert "  meters/ABS/stack: 400 -> 300 (-100)" in lines
    assert not any(name in line for line in lines for name in ("ADD", "TANH", "instructions:"))
    over = [line for line in lines if line.startswith("ABS micro@cortex-m4: ")]
    assert over[0].startswith("ABS micro@cortex-m4: own 9999, budget ")


def test_update_writes_baseline_and_budgets_and_names_every_budget_that_rises(
    fake_size: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    budgets.write_baseline({"cortex-m0": {"flash": {"core": 1}}, BOARD: {"meters": {"ADD": METERS}}})
    before = SPECS["ABS"].budgets
    assert size.command(None, [BOARD], ["ABS"], update=True) == 0
    out = capsys.readouterr().out
    assert f"ABS cortex-m4: budget of own raised from {before[BOARD]['own']} to 11008" in out
    assert "budget of stack raised" not in out
    renewed = load_all(fake_size)["ABS"].budgets
    assert renewed[BOARD] == {"own": 11008, "stack": 336, "scratch": 32, "arena": 240, "instructions": 14000}
    assert renewed["cortex-m0"] == before["cortex-m0"]
    written = budgets.read_baseline()
    assert written["cortex-m0"] == {"flash": {"core": 1}}
    assert written[BOARD]["meters"] == {"ABS": {**METERS, "stack": 300}, "ADD": METERS}  # type: ignore[index]
    assert {path.suffix for path in fake_size.iterdir()} == {".yaml"}
    size.command(None, [BOARD], ["ABS"], update=True)
    assert capsys.readouterr().out.splitlines()[-1] == "baseline written; budgets of 0 specs changed"


def test_update_gives_budgets_to_an_op_that_has_none(
    fake_size: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = fake_size / "abs.yaml"
    without = costs_update.with_budgets(path.read_text(), {}).rpartition("\n# Written by")[0]
    path.write_text(without)
    assert load_all(fake_size)["ABS"].budgets == {}
    assert size.command(None, [BOARD], ["ABS"], update=True) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "baseline written; budgets of 1 specs changed"
    limits = {"own": 11008, "stack": 336, "scratch": 32, "arena": 240, "instructions": 14000}
    assert load_all(fake_size)["ABS"].budgets == {BOARD: limits}
    assert path.read_text().startswith(without)


def test_boards_measured_at_the_same_time_come_in_the_order_of_the_boards(capsys: pytest.CaptureFixture[str]) -> None:
    told = []
    for jobs in (1, 2):
        assert size.command(None, ["cortex-m0", BOARD], ["ABS"], as_json=True, jobs=jobs) in (0, 1)
        told.append(json.loads(capsys.readouterr().out))
    assert list(told[0]) == ["cortex-m0", BOARD]
    assert told[0] == told[1]


def test_update_writes_nothing_where_a_board_failed(
    fake_size: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    broken = size.Measured(BOARD, table(), tuple(measured(Infra("no QEMU"))))
    monkeypatch.setattr(size, "measured", lambda target, specs, kernels: broken)
    assert size.command(None, [BOARD], ["ABS"], update=True) == 3
    assert "ABS micro@cortex-m4: the canonical case (int8) has no costs: no QEMU" in capsys.readouterr().out
    assert load_all(fake_size)["ABS"].budgets == SPECS["ABS"].budgets
    assert budgets.read_baseline() == {}


def test_an_unknown_board_or_op_is_named_with_what_is_allowed() -> None:
    with pytest.raises(Exception, match="--target z80: matches no board; allowed: cortex-m0"):
        size.command(None, ["z80"])
    with pytest.raises(Exception, match=r"--op FOO\*: matches no op; ops: ABS"):
        size.command(None, [BOARD], ["FOO*"])


def logged(path: Path) -> list[Mapping[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture(scope="module")
def slow_kernel(tmp_path_factory: pytest.TempPathFactory) -> tuple[Selection, Path]:
    """Run RESHAPE on a real board against a budget that is one byte of arena too small."""
    root = tmp_path_factory.mktemp("costs")
    folder, log = root / "ops", root / "run.jsonl"
    shutil.copytree(spec_folder(), folder)
    spec = SPECS["RESHAPE"]
    arena = costs.baseline_of(budgets.read_baseline(), BOARD, "RESHAPE")["arena"]
    costs_update.write_budgets(spec, {BOARD: {"own": 100000, "arena": arena - 1}}, folder)
    selection = Selection((f"micro@{BOARD}",), ("RESHAPE",), ("int8", "bool"), folder=folder)
    assert run(selection, log).exit == 1
    return selection, log


def test_a_run_on_a_board_ends_with_costs_and_fails_over_budget(slow_kernel: tuple[Selection, Path]) -> None:
    *_, before, line, footer = logged(slow_kernel[1])
    assert (before["kind"], line["kind"], footer["kind"]) == ("coverage", "cost", "footer")
    found, limit = line["arena"], line["budget"]["arena"]
    where = f"specs/ops/reshape.yaml:{load_all(slow_kernel[0].folder)['RESHAPE'].budget_lines[BOARD]}"
    assert line["message"] == f"RESHAPE micro@cortex-m4: arena {found}, budget {limit} ({where})"
    assert all(line[name] > 0 for name in ("own", "shared", "alone", "stack", "arena", "instructions"))
    assert (footer["verdicts"]["over-budget"], footer["unexpected"], footer["exit"]) == (1, 1, 1)


def test_two_processes_log_the_same_costs_as_one(slow_kernel: tuple[Selection, Path], tmp_path: Path) -> None:
    selection, whole = slow_kernel
    assert run(replace(selection, jobs=2), tmp_path / "run.jsonl").exit == 1
    assert logged(tmp_path / "run.jsonl")[-2] == logged(whole)[-2]


@pytest.mark.parametrize("kept", [-1, -2, -3])
def test_a_resumed_run_has_the_same_cost_lines(slow_kernel: tuple[Selection, Path], tmp_path: Path, kept: int) -> None:
    selection, whole = slow_kernel
    lines = whole.read_text().splitlines(keepends=True)
    part = tmp_path / "part.jsonl"
    part.write_text("".join(lines[:kept]))
    assert run(selection, part, resume=True).exit == 1
    assert part.read_text().splitlines(keepends=True)[-2] == lines[-2]
    assert len(logged(part)) == len(lines)
