"""What whole models cost on every board: flash of their image, arena, stack and instructions of one invocation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from opconform.harness import budgets_model
from opconform.harness.bench_networks import NETWORKS
from opconform.harness.budgets_model import ModelCost
from opconform.harness.runtime import RuntimeFailure

#: Figure by figure: its unit, and what it counts.
FIGURES = {
    "flash": ("bytes", "interpreter, kernels and libraries, without the model"),
    "arena": ("bytes", "tensors, scratch and what the kernels keep"),
    "stack": ("bytes", "the deeper of opening and invoking"),
    "instructions": ("instructions", "one invocation, inputs are zeros"),
}
#: The network that is small enough for boards.
GENERATED = "mobilenet_v1_96_0.25 int8"

Row = tuple[str, float | None, str, str]


def board_rows(models: Sequence[Path], built_in: Sequence[Path], boards: Sequence[str]) -> Iterator[Row]:
    """Measure `models`, or without any those built in and a generated MobileNet, on each board.

    A row is name, value (None: not measured, the note says why), unit and note. A board whose memories are too small
    for models is measured on a larger one with its own code (targets/modelimage.py).
    """
    files = {path.stem: path.read_bytes() for path in models or built_in}
    if not models:
        files[GENERATED.replace(" ", "_")] = NETWORKS[GENERATED]()
    for board in boards:
        for stem, data in files.items():
            yield from _rows_of(f"{stem} {board}", data, board)


def _rows_of(name: str, data: bytes, board: str) -> Iterator[Row]:
    try:
        cost = budgets_model.predict(data, board)
    except RuntimeFailure as error:
        yield name, None, "instructions", str(error)
        return
    yield from _figures(name, cost)


def _figures(name: str, cost: ModelCost) -> Iterator[Row]:
    for figure, (unit, note) in FIGURES.items():
        yield f"{name} {figure}", cost.figures[figure], unit, note
