"""Bytes are charged to the kernels that cause them; the proof is images that are really linked with one kernel."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from opconform.harness import budgets
from opconform.harness.budgets import Difference, compare, exceeded
from opconform.harness.budgets_elf import Graph, Piece, branch_offset, read_graph, read_map, split_strings
from opconform.targets import build, library
from opconform.targets.boards import load_target

SAMPLE = ("add_float32", "conv_2d_int8", "softmax_float32", "reshape")
FEW_BYTES = 12  # alignment between sections, and the entry of the table

LINK_MAP = """
Linker script and memory map

 .text.short    0x00000100       0x10 /x/a.o
 .text.a_name_that_needs_its_own_line
                0x00000110       0x20 /x/a.o
 .rodata.f.str1.1
                0x00000130        0x8 /x/a.o
 .rodata.g.str1.1
                0x00000138        0x8 /x/b.o
 .rodata.opc_b  0x00000138        0x4 /x/b.o
 .text          0x0000013c       0x10 /x/libm.a(sin.o)
 .debug_info    0x00000100       0x80 /x/a.o
"""
OUTPUTS = [(0x100, 0x200, ".text")]


def flash(image: build.Image) -> int:
    graph = read_graph(image.elf, image.map)
    return sum(piece.size for piece in graph.pieces if piece.output not in (".bss", ".stacks", ".buffers"))


def linked(board: str, stems: tuple[str, ...]) -> int:
    """Return the flash of a really linked image that holds only `stems`."""
    target = load_target(board)
    sources = [
        *(*build.platform_sources(target), *build.core_sources(), library.registry_source(stems)),
        *library.kernel_sources(stems),
    ]
    return flash(build.link_image(target, build.compile_objects(target, sources), ("-Wl,--emit-relocs",)))


@pytest.mark.parametrize("board", ["cortex-m0", "cortex-m4"])
def test_what_a_kernel_costs_alone_is_what_a_linked_image_grows_by(board: str) -> None:
    table = budgets.measure_flash(board)
    empty = linked(board, ())
    for stem in SAMPLE:
        cost = table.kernels[stem]
        assert abs(linked(board, (stem,)) - empty - cost.alone) <= FEW_BYTES, stem
        assert cost.alone == cost.own + cost.shared
        assert cost.own > 0


def test_core_and_platform_are_what_an_image_without_kernels_holds() -> None:
    table = budgets.measure_flash("cortex-m4")
    assert 0 < linked("cortex-m4", ()) - table.core - table.platform < 400  # memcpy and its like
    assert table.total > table.core + table.platform + table.lib
    assert 0 < table.ram < 2048


def test_the_interpreter_meets_its_goal_on_the_m3() -> None:
    table = budgets.measure_flash("cortex-m3")
    assert table.core <= 8 * 1024
    assert table.ram <= 2 * 1024


def test_an_op_owns_at_least_what_its_kernels_own() -> None:
    table = budgets.measure_flash("cortex-m4")
    adds = [cost.own for stem, cost in table.kernels.items() if budgets.op_of(stem) == "ADD"]
    assert len(adds) > 1
    assert table.ops["ADD"].own >= sum(adds)


def test_a_link_map_is_read_with_broken_lines_and_without_debug_sections() -> None:
    names = {(piece.name, piece.address, piece.size) for piece in read_map(LINK_MAP, OUTPUTS)}
    assert ("", 0, 0) not in names
    assert (".text.a_name_that_needs_its_own_line", 0x110, 0x20) in names
    assert not any(name.startswith(".debug") for name, _, _ in names)


def test_strings_that_the_linker_merged_away_count_nothing() -> None:
    sizes = {piece.name: piece.size for piece in read_map(LINK_MAP, OUTPUTS)}
    assert ".rodata.g.str1.1" not in sizes
    assert sizes[".rodata.opc_b"] == 4


def test_archive_members_are_library_code() -> None:
    assert [piece.file for piece in read_map(LINK_MAP, OUTPUTS) if piece.library] == ["/x/libm.a(sin.o)"]


def test_merged_strings_become_pieces_of_their_own() -> None:
    piece = Piece(".rodata.f.str1.1", 0x130, 8, "/x/a.o", ".rodata")
    parts = split_strings([piece], {".rodata": (0x120, bytes(16) + b"one\0two\0")})
    assert [(part.address, part.size) for part in parts] == [(0x130, 4), (0x134, 4)]


@pytest.mark.parametrize("offset", [0, 2, 4094, -4, -2048, 1 << 20, -(1 << 20)])
def test_branch_offsets_are_those_that_the_architecture_encodes(offset: int) -> None:
    sign, value = int(offset < 0), offset & 0x1FFFFFF
    i1, i2 = value >> 23 & 1, value >> 22 & 1
    first = 0xF000 | sign << 10 | value >> 12 & 0x3FF
    second = 0xD000 | (1 ^ i1 ^ sign) << 13 | (1 ^ i2 ^ sign) << 11 | value >> 1 & 0x7FF
    assert branch_offset(*struct.unpack("<HH", struct.pack("<HH", first, second))) == offset


def test_a_piece_that_only_a_cut_piece_refers_to_is_not_reached() -> None:
    pieces = tuple(Piece(name, 16 * i, 16, "/x/a.o", ".text") for i, name in enumerate(("root", "table", "kernel")))
    graph = Graph(pieces, (frozenset({1}), frozenset({2}), frozenset()), {})
    assert graph.reach([0]) == {0, 1, 2}
    assert graph.reach([0], cut={1}) == {0, 1}


def test_every_figure_that_changed_is_listed_with_its_change() -> None:
    old = {"cortex-m4": {"core": 100, "ops": {"ADD": {"own": 5}, "GONE": {"own": 1}}}}
    new = {"cortex-m4": {"core": 90, "ops": {"ADD": {"own": 5}, "NEW": {"own": 2}}}}
    assert compare(new, old) == [
        Difference("cortex-m4/core", 100, 90),
        Difference("cortex-m4/ops/GONE/own", 1, None),
        Difference("cortex-m4/ops/NEW/own", None, 2),
    ]
    assert [str(line) for line in compare(new, old)] == [
        "cortex-m4/core: 100 -> 90 (-10)",
        "cortex-m4/ops/GONE/own: 1 (gone)",
        "cortex-m4/ops/NEW/own: 2 (new)",
    ]


def test_a_figure_above_its_budget_is_named_with_both_numbers() -> None:
    assert exceeded({"own": 100, "stack": 64}, {"own": 101, "stack": 64}) == ["own is 101, 100 is allowed"]
    assert exceeded({"own": 100}, {}) == []


def test_a_baseline_survives_being_written_and_read(tmp_path: Path) -> None:
    path = tmp_path / "baseline.json"
    assert budgets.read_baseline(path) == {}
    budgets.write_baseline({"cortex-m4": {"core": 1}}, path)
    assert budgets.read_baseline(path) == {"cortex-m4": {"core": 1}}
    assert [file.name for file in tmp_path.iterdir()] == ["baseline.json"]


def test_a_baseline_has_a_line_for_each_op(tmp_path: Path) -> None:
    path = tmp_path / "baseline.json"
    figures = {"m4": {"flash": {"core": 1, "ops": {"ADD": {"own": 5, "alone": 6}, "SUB": {"own": 7}}}, "meters": {}}}
    budgets.write_baseline(figures, path)
    assert budgets.read_baseline(path) == figures
    assert '    "ADD": {"alone": 6, "own": 5},\n    "SUB": {"own": 7}\n' in path.read_text()
