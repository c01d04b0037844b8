"""Images that hold one model, and the image with all kernels that any model can be put into; both run and measured."""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from opconform.harness.runtime import RuntimeFailure
from opconform.targets import build, library
from opconform.targets.boards import Target, folder, load_architecture, load_target
from opconform.targets.cache import find_tool, publish_bytes
from opconform.targets.faults import describe_access
from opconform.targets.meters import Page, Record, regions
from opconform.targets.qemu import Machine, command
from opconform.targets.symbols import load_symbols

_LINES = re.compile(rb"([0-9a-f]{8}) ([0-9a-f]{8})\n")
_RUN_SECONDS = 120
_OK = 0


class NotRun(RuntimeFailure):
    """The image did not run to its end; the message says why in one line."""


@dataclass(frozen=True, slots=True)
class Ran:
    """What one run of a model takes: bytes of arena, of stack for opening and for invoking, instructions, and how many
    loads of the invocation read the model."""

    arena: int
    open_stack: int
    invoke_stack: int
    instructions: int
    model_loads: int = 0

    @property
    def stack(self) -> int:
        """Return what must be reserved, in bytes: the deeper of the two."""
        return max(self.open_stack, self.invoke_stack)


def roomy(target: Target) -> Target:
    """Return the board that measures models for this one: itself, or one with larger memories and the same code."""
    if not target.models_on:
        return target
    larger = load_target(target.models_on)
    return replace(larger, name=f"{target.name}-on-{larger.name}", flags=target.flags, optimize=target.optimize,
                   libc=target.libc)  # fmt: skip


def build_with_model(target: Target, model: bytes, stems: Sequence[str], extra: Sequence[str] = ()) -> build.Image:
    """Build a firmware of one model with the kernels `stems`. Raises Unavailable or BuildFailed."""
    return _build(target, _model_source(model), stems, extra)


def build_with_buffer(target: Target, extra: Sequence[str] = ()) -> build.Image:
    """Build the same firmware with all kernels and room for a model. Raises Unavailable or BuildFailed."""
    return _build(target, folder() / "standalone" / "buffer.c", library.op_stems(), extra)


def run(target: Target, image: build.Image, model: bytes | None = None) -> Ran:
    """Open and invoke the model of an image once, or `model` in an image with a buffer; inputs are zeros.

    Raises NotRun, Unavailable and BuildFailed.
    """
    with tempfile.TemporaryDirectory(prefix="opconform-model-") as work:
        placed: tuple[str, ...] = ()
        if model is not None:
            file = Path(work) / "model.tflite"
            file.write_bytes(model)
            placed = _loaders(target, image, file)
        page = Page()
        try:
            return _run(target, image, page, placed)
        finally:
            page.close()


def _run(target: Target, image: build.Image, page: Page, placed: Sequence[str]) -> Ran:
    symbols = load_symbols(image.symbols)
    parts = regions(target, symbols)
    page.reset(symbols, parts)
    tools = load_architecture(target.architecture)
    program = find_tool(tools.emulator, tools.emulator_packages)
    machine = Machine(program, target.machine, tools.emulator_options, image.elf, build.build_plugin(), page.fd, 0)
    try:
        done = subprocess.run([*command(machine), *placed], capture_output=True, pass_fds=(page.fd,), check=False,
                              timeout=_RUN_SECONDS)  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise NotRun(f"{target.name}: the model did not end within {_RUN_SECONDS} s under QEMU") from error
    lines = [(int(status, 16), int(value, 16)) for status, value in _LINES.findall(done.stdout + done.stderr)]
    failed = next((status for status, _ in lines if status != _OK), None)
    if len(lines) != 2 or failed is not None:
        why = f"the firmware answered status {failed}" if failed else f"QEMU ended with status {done.returncode}"
        raise NotRun(f"{target.name}: the model did not run: {why}")
    opened, invoked = page.record(0), page.record(1)
    for record in (opened, invoked):
        if record.bad_count:
            raise NotRun(f"{target.name}: {describe_access(record, parts, symbols)}")
    return _ran(lines[0][1], opened, invoked)


def _ran(arena: int, opened: Record, invoked: Record) -> Ran:
    return Ran(arena, opened.stack, invoked.stack, invoked.instructions, invoked.model_loads)


def _loaders(target: Target, image: build.Image, file: Path) -> tuple[str, ...]:
    """Return the options of QEMU that put a model into the buffer of an image."""
    symbols = load_symbols(image.symbols)
    size = file.stat().st_size
    if size > target.model_bytes:
        raise NotRun(f"{target.name}: the model has {size} bytes, {target.model_bytes} are allowed (model_bytes)")
    where, length = (symbols.address(name) for name in ("opc_model_buffer", "opc_model_bytes"))
    return (
        *("-device", f"loader,file={file},addr={where:#x},force-raw=on"),
        *("-device", f"loader,addr={length:#x},data={size:#x},data-len=4"),
    )


def _build(target: Target, model: Path, stems: Sequence[str], extra: Sequence[str]) -> build.Image:
    sources = (
        *(*build.standalone_sources(target), model),
        *(*library.library_sources(), *library.kernel_sources(stems), library.registry_source(stems)),
    )
    return build.link_image(target, build.compile_objects(target, sources), extra)


def _model_source(model: bytes) -> Path:
    """Write an assembler file that includes a model into the cache and return its path."""
    data = publish_bytes("model", ".tflite", model)
    lines = [
        *('.section .rodata.opc_model, "a", %progbits', ".balign 16"),
        *(".global opc_model_buffer, opc_model_bytes", ".type opc_model_buffer, %object"),
        *("opc_model_buffer:", f'.incbin "{data}"', ".size opc_model_buffer, . - opc_model_buffer"),
        *('.section .rodata.opc_model_bytes, "a", %progbits', ".balign 4", "opc_model_bytes:", f".word {len(model)}"),
    ]
    return publish_bytes("model", ".S", ("\n".join(lines) + "\n").encode())
