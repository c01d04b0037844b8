"""What a model costs on a board: predicted from one image with all kernels, and measured on the image that is linked.

The image with all kernels is linked once a board. Its pieces tell which bytes the image of a model will hold, and it
runs the model under QEMU, so arena, stack and instructions are those of the board's own code.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from opconform.harness import budgets
from opconform.harness.budgets_elf import Graph, read_graph
from opconform.runtimes.micro.build import required_kernels
from opconform.targets import modelimage
from opconform.targets.boards import Target, load_target
from opconform.targets.build import Image
from opconform.targets.modelimage import Ran
from opconform.targets.symbols import parsed_elf

#: A prediction may be so far off the linked image, in per cent.
TOLERANCE = 5.0
#: Bytes of a kernel in the table of kernels.
_ENTRY = 4
_REPORT = "report"
_MODEL = ".rodata.opc_model"
_MARKS = (".text.opc_me", ".text.opc_watch")
_RAM = (".data", ".bss", ".tdata", ".tbss")
_PREDICTED = ("flash", "ram", "arena", "stack")


@dataclass(frozen=True, slots=True)
class ImageSize:
    """An image that holds one model and only its kernels, in bytes.

    `flash` is all but the model, `data` is .data and .bss beside stacks and arena. What only measures counts nowhere.
    """

    target: str
    kernels: tuple[str, ...]
    flash: int
    core: int
    platform: int
    kernel_bytes: int
    lib: int
    model: int
    data: int


@dataclass(frozen=True, slots=True)
class ModelCost:
    """The image of a model and one run of it. Bytes, and a count of instructions."""

    size: ImageSize
    ran: Ran

    @property
    def figures(self) -> dict[str, int]:
        """Return every figure by name; `ram` is variables, arena and stack together."""
        size, ran = self.size, self.ran
        return {
            **{name: getattr(size, name) for name in ("flash", "core", "kernel_bytes", "lib", "platform", "model")},
            "ram": size.data + ran.arena + ran.stack,
            "data": size.data,
            "arena": ran.arena,
            "stack": ran.stack,
            "instructions": ran.instructions,
        }


def build_image(model: bytes, target: str) -> ImageSize:
    """Link start-up, interpreter, the model and the kernels it needs, and attribute the bytes.

    Raises InvalidModel where micro does not open the model, Unavailable and BuildFailed.
    """
    return _linked(model, modelimage.roomy(load_target(target)), target)[0]


def predict(model: bytes, target: str) -> ModelCost:
    """Return what the image of a model will cost, without linking it.

    Raises InvalidModel where micro does not open the model, NotRun, Unavailable and BuildFailed.
    """
    board, stems = modelimage.roomy(load_target(target)), required_kernels(model)
    image = modelimage.build_with_buffer(board, budgets.LINK)
    graph = read_graph(image.elf, image.map)
    base = budgets.base_pieces(graph)
    needed = base | graph.reach(graph.at(f"opc_{stem}") for stem in stems)
    size = ImageSize(target, stems, model=len(model), **_parts(graph, needed, base, _ENTRY * len(stems)))
    return ModelCost(size, modelimage.run(board, image, model))


def measure(model: bytes, target: str) -> ModelCost:
    """Link the image of a model, run it and return what it costs.

    Raises InvalidModel where micro does not open the model, NotRun, Unavailable and BuildFailed.
    """
    board = modelimage.roomy(load_target(target))
    size, image = _linked(model, board, target)
    return ModelCost(size, modelimage.run(board, image))


def errors(predicted: ModelCost, measured: ModelCost) -> dict[str, float]:
    """Return by how many per cent of the measured figure each prediction is off."""
    found, right = predicted.figures, measured.figures
    return {name: 100 * (found[name] - right[name]) / right[name] for name in _PREDICTED if right[name]}


def lacking(cost: ModelCost, target: str) -> list[str]:
    """Return a line for each memory of the board that is too small for the image."""
    board, figures = load_target(target), cost.figures
    wants = {"flash": figures["flash"] + figures["model"], "RAM": figures["ram"]}
    has = {"flash": board.flash.bytes, "RAM": board.ram.bytes}
    small = [name for name in has if wants[name] > has[name]]
    return [f"{target}: the image needs {wants[n]} bytes of {n}, the board has {has[n]}" for n in small]


def _linked(model: bytes, board: Target, target: str) -> tuple[ImageSize, Image]:
    stems = required_kernels(model)
    image = modelimage.build_with_model(board, model, stems, budgets.LINK)
    graph = read_graph(image.elf, image.map)
    every, base = range(len(graph.pieces)), budgets.base_pieces(graph)
    spare = graph.bytes(i for i in every if _measures(graph, i) and budgets.is_flash(graph, i))
    parts = {**_parts(graph, every, base), "flash": flash_of(image.elf) - len(model) - spare}
    return ImageSize(target, stems, model=len(model), **parts), image


def flash_of(elf: Path) -> int:
    """Return the bytes of an image that lie in flash, padding included, by the sections of its ELF file."""
    with elf.open("rb") as file:
        sections = [s for s in parsed_elf(file).iter_sections() if s["sh_flags"] & 2 and s["sh_type"] == "SHT_PROGBITS"]
        return sum(int(section["sh_size"]) for section in sections)


def _parts(graph: Graph, needed: Collection[int], base: frozenset[int], table: int = 0) -> dict[str, int]:
    """Return the bytes of the pieces that an image needs; `table` is what its table of kernels adds to them."""
    kept = frozenset(i for i in needed if not _measures(graph, i))
    held = [i for i in kept if budgets.is_flash(graph, i) and graph.pieces[i].name != _MODEL]
    parts = budgets.parts_of(graph, base.intersection(held))
    return {
        "flash": graph.bytes(held) + table,
        "core": parts["core"],
        "platform": parts["platform"],
        "kernel_bytes": graph.bytes(i for i in held if i not in base and not graph.pieces[i].library) + table,
        "lib": graph.bytes(i for i in held if graph.pieces[i].library),
        "data": graph.bytes(i for i in kept if graph.pieces[i].output in _RAM),
    }


def _measures(graph: Graph, index: int) -> bool:
    piece = graph.pieces[index]
    return budgets.stem_of(piece.file) == _REPORT or piece.name.startswith(_MARKS)
