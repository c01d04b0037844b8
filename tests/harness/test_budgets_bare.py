"""No kernel brings a heap, stdio, an operating system or a variable into an image; one that does is named."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from opconform.harness import budgets
from opconform.harness.budgets_bare import DECLARED, foreign
from opconform.harness.budgets_elf import read_graph
from opconform.harness.cli import size
from opconform.targets import build, library, modelimage
from opconform.targets.boards import load_target, target_names

BOARDS = target_names() if os.environ.get("OPCONFORM_BOARDS") == "all" else ("cortex-m0", "cortex-m4")
BOARD = "cortex-m4"

pytestmark = pytest.mark.skipif(shutil.which("arm-none-eabi-gcc") is None, reason="no toolchain")

KERNEL = """
#include "opconform_kernel.h"
@TOP@
static opc_status prepare(opc_node *node) { (void)node; return OPC_OK; }
static opc_status invoke(opc_node *node) { @BODY@ return opc_scratch_data(node) ? OPC_OK : OPC_INTERNAL; }
extern const opc_op opc_bad;
const opc_op opc_bad = {.code = 1, .key = OPC_KEY_NONE, .types = OPC_ANY_TYPE, .prepare = prepare, .invoke = invoke};
"""
#: What a C library would find on a machine with an operating system.
HEAP = ("-Wl,--defsym=__heap_start=0x20010000", "-Wl,--defsym=__heap_end=0x20020000")
STDOUT = "#include <stdio.h>\nFILE *const stdout; FILE *const stderr;\n"


def found(place: Path, top: str = "", body: str = "", extra: Sequence[str] = ()) -> tuple[str, ...]:
    """Return what is wrong with the image of the worker with one kernel of this text."""
    (place / "bad.c").write_text(KERNEL.replace("@TOP@", top).replace("@BODY@", body))
    target, table = load_target(BOARD), library.registry_source(("bad",))
    sources = (*build.platform_sources(target), *build.core_sources(), place / "bad.c", table)
    image = build.link_image(target, build.compile_objects(target, sources), (*budgets.LINK, *extra))
    return foreign(read_graph(image.elf, image.map))


@pytest.mark.parametrize("board", BOARDS)
def test_the_images_of_all_kernels_are_bare(board: str) -> None:
    target = load_target(board)
    for image in (build.build_worker(target, budgets.LINK), modelimage.build_with_buffer(target, budgets.LINK)):
        graph = read_graph(image.elf, image.map)
        assert foreign(graph) == ()
        assert len(foreign(graph, {})) > 3  # the check sees the declared variables


def test_an_honest_kernel_is_not_blamed(tmp_path: Path) -> None:
    assert (
        found(tmp_path, "static const int table[2] = {1, 2};", "if (table[node != 0] == 3) return OPC_INTERNAL;") == ()
    )


@pytest.mark.parametrize(
    ("top", "body", "line"),
    [
        ("static int calls;", "calls++;", r"calls: 4 bytes that can be written, in bad(, for bad)?; make it const, or"),
        ("", "static int calls = 3; calls++;", r"calls\.\d+: 4 bytes that can be written, in bad; "),
        ("int worker[4];", "worker[0]++;", r"worker: 16 bytes that can be written, in bad; "),
        (
            "#include <stdlib.h>",
            "*(void **)node = malloc(8);",
            r"malloc is linked \(heap\), for bad.*; micro has none of that",
        ),
        (STDOUT, 'printf("%p", (void *)node);', r"_?printf is linked \(stdio\), for bad; "),
        ("#include <errno.h>", "errno = 1;", r"errno is linked \(operating system\), for "),
        ("extern int nowhere __attribute__((weak));", "if (&nowhere) return OPC_OK;", "nowhere is undefined; "),
    ],
)
def test_a_kernel_that_is_not_bare_is_named(top: str, body: str, line: str, tmp_path: Path) -> None:
    lines = found(tmp_path, top, body, HEAP)
    assert any(re.match(line, text) for text in lines), lines


def test_the_command_fails_with_what_was_found(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    table = budgets.FlashTable(BOARD, 1, 2, 3, 4, 5, {}, {}, ("malloc is linked (heap)",))
    monkeypatch.setattr(size, "measured", lambda target, specs, kernels: size.Measured(target, table, ()))
    monkeypatch.setattr(budgets, "read_baseline", dict)
    assert size.command(None, [BOARD], ["ABS"]) == 1
    assert capsys.readouterr().out.splitlines()[-1] == f"{BOARD}: malloc is linked (heap)"
    assert "foreign" not in budgets.as_json(table)


def test_every_declared_variable_has_a_reason_and_a_source() -> None:
    declared: Mapping[str, str] = DECLARED
    sources = {path.stem for path in build.platform_sources(load_target(BOARD))} | {"worker", "standalone", "buffer"}
    assert all(name.partition(":")[0] in sources and reason for name, reason in declared.items())
