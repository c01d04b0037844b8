"""What micro's linked images say for claims: their symbols, their bytes, and a run under QEMU with the meter."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from opconform.harness import budgets, budgets_model
from opconform.harness.bench_models import hello_model
from opconform.harness.claim_values import show_size
from opconform.harness.claims import Evidence, NotMeasurable, Subject
from opconform.harness.claims_models import DEPTH, dense
from opconform.harness.costs import MICRO
from opconform.harness.model import Produced
from opconform.harness.registry import Handle
from opconform.harness.runtime import RuntimeFailure
from opconform.runtimes.micro.build import required_kernels
from opconform.targets import modelimage
from opconform.targets.boards import load_target, target_names
from opconform.targets.meters import Region, regions
from opconform.targets.modelimage import NotRun
from opconform.targets.symbols import load_symbols

#: The board whose image is looked into where micro is asked about on this machine.
BOARD = "cortex-m3"
#: RAM beside a model in flash: less than one of so many parts of its weights.
PART = 10
#: Outputs of the model on the wire, and of the one in flash, unless that takes more than half of the flash.
_FEW, _MANY = 16, 4096
#: Weights of one output, and the widest load of a core.
_OUTPUT_BYTES, _WIDEST_LOAD = 4 * DEPTH, 16


def builds_images(handle: Handle) -> bool:
    """Tell whether a runtime is micro, whose images are linked here."""
    return handle.name == MICRO and not handle.command and ".py:" not in handle.source


@dataclass(frozen=True, slots=True)
class Placed:
    """A model of `weights` bytes of constants in an image that was run: its place, its RAM, the loads from it."""

    weights: int
    model: Region
    flash: Region
    ram: int
    loads: int

    @property
    def wrong(self) -> str:
        """Return in one line why the weights are not read where they lie in flash; "" if they are."""
        if not self.flash.low <= self.model.low < self.model.high <= self.flash.high:
            return f"the model lies at {self.model.low:#010x}, which is not in flash"
        if self.loads * _WIDEST_LOAD < self.weights:
            return f"{self.loads} loads from the model cannot have read its {self.weights} bytes of weights"
        if self.ram * PART >= self.weights:
            return f"{self.ram} bytes of RAM have room for more than a {PART}th of {self.weights} bytes of weights"
        return ""


def check_mapped_models(subject: Subject) -> Evidence:
    """Run a model of up to 512 KiB of weights from flash: the meter counts what is read there, and RAM stays small."""
    claim, board = "memory_mapped_models", _board(subject.handle)
    with _measuring():
        found = _place(board)
    measured = f"RAM {show_size(found.ram)} of {show_size(found.weights)}"
    source = (
        f"FULLY_CONNECTED on {board} under QEMU: model at {found.model.low:#010x} in flash, {found.loads:,} loads from "
        "it (meter), RAM is variables, arena and stack"
    )
    wrong = found.wrong or _wrong_answer(subject)
    return Evidence(claim, not wrong, measured, source, wrong)


def store_into_weights(handle: Handle) -> tuple[bool, str]:
    """Run a model that lies in flash: do stores of the run reach it? The meter ends a run at the first one.

    Raises NotMeasurable.
    """
    board = _board(handle)
    try:
        with _measuring():
            found = _place(board)
    except NotRun as error:
        return False, str(error)
    if found.wrong:
        return False, found.wrong
    where = f"on {board} weights lie at {found.model.low:#010x}"
    return True, f"{where}, where the meter ends a run at a store; there was none"


def _place(board: str) -> Placed:
    target = modelimage.roomy(load_target(board))
    outputs = min(_MANY, target.flash.bytes // 2 // _OUTPUT_BYTES)
    question = dense(outputs)
    cost = budgets_model.measure(question.model, board)
    image = modelimage.build_with_model(target, question.model, required_kernels(question.model), budgets.LINK)
    parts = {part.name: part for part in regions(target, load_symbols(image.symbols))}
    return Placed(outputs * _OUTPUT_BYTES, parts["model"], parts["flash"], cost.figures["ram"], cost.ran.model_loads)


def _wrong_answer(subject: Subject) -> str:
    question = dense(_FEW)
    executor = subject.connect()
    try:
        outcome = executor.execute(question.model, [question.inputs])
    finally:
        executor.close()
    if isinstance(outcome, Produced) and question.is_answered(outcome.outputs[0]):
        return ""
    return "a small model of the same form is answered wrong"


def check_os_independence(subject: Subject) -> Evidence:
    """Search the image of all kernels for heap, stdio, system calls and variables that nobody declared."""
    board = _board(subject.handle)
    with _measuring():
        table = budgets.measure_flash(board)
    source = f"symbols and relocations of the image of all kernels for {board}, {table.total:,} bytes"
    measured = f"{len(table.foreign)} symbols of an OS" if table.foreign else "no symbol of an OS"
    return Evidence("os_independence", not table.foreign, measured, source, "; ".join(table.foreign[:3]))


def check_binary_size(subject: Subject) -> Evidence:
    """Link the image of a model like hello_world: start-up, interpreter, its kernel and libraries, no model."""
    board = _board(subject.handle)
    with _measuring():
        figures, table = budgets_model.measure(hello_model(), board).figures, budgets.measure_flash(board)
    flash = figures["flash"]
    source = (
        f"ELF of hello_world's form for {board}, without the model: interpreter {figures['core']:,}, kernel "
        f"{figures['kernel_bytes']:,}, start-up {figures['platform']:,}, libraries {figures['lib']:,} bytes; "
        f"with the kernels of all {len(table.ops)} ops and the wire {table.total:,} bytes"
    )
    measured = f"{show_size(flash)} of flash, all ops {show_size(table.total)}"
    return Evidence("binary_size", flash, measured, source)


def check_base_memory(subject: Subject) -> Evidence:
    """Run the image of a model like hello_world: variables, arena and the deepest stack."""
    board = _board(subject.handle)
    with _measuring():
        figures = budgets_model.measure(hello_model(), board).figures
    parts = ", ".join(
        f"{words} {figures[name]:,}" for name, words in (("data", "variables"), ("arena", "arena"), ("stack", "stack"))
    )
    source = f"ELF of hello_world's form and its run on {board} under QEMU: {parts} bytes"
    return Evidence("base_memory", figures["ram"], show_size(figures["ram"]), source)


def _board(handle: Handle) -> str:
    return handle.at if handle.at in target_names() else BOARD


@contextmanager
def _measuring() -> Iterator[None]:
    """Turn a missing toolchain, or an image that does not build, into NotMeasurable. Raises NotRun as it is."""
    try:
        yield
    except NotRun:
        raise
    except RuntimeFailure as error:
        raise NotMeasurable(str(error)) from error
