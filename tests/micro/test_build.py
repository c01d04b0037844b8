"""Building: what is missing is named, what is built is kept, what an image needs is known."""

from __future__ import annotations

import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from opconform.harness.flatmodel import Graph, Node, TensorDef, write_model
from opconform.harness.isolate import connect
from opconform.harness.model import Crashed, Outcome, Produced, Quant
from opconform.harness.registry import resolve
from opconform.harness.runtime import InvalidModel, Unavailable
from opconform.runtimes.micro import Micro, build
from opconform.targets import library

CROSS = "arm-none-eabi-gcc"
CORE_BYTES, HELLO_BYTES, RAM_BYTES = 8 * 1024, 12 * 1024, 2 * 1024
#: What an application calls; never run, only linked.
APPLICATION = """
#include "opconform_kernel.h"
extern const opc_registry opc_registry_all;
extern const uint8_t model[1];
extern uint8_t arena[1];
static opc_interpreter it;
volatile int sink;
int main(void) {
    opc_tensor t;
    sink = (int)opc_open(&it, model, 1, arena, 1, &opc_registry_all);
    sink = opc_model_input(&it, 0, &t);
    sink = (int)opc_invoke(&it);
    sink = opc_model_output(&it, 0, &t);
    sink = (int)opc_arena_used(&it);
    opc_reset(&it);
    return 0;
}
const uint8_t model[1] = {0};
uint8_t arena[1];
"""


def dense() -> bytes:
    q = Quant((0.5,), (3,))
    tensors = (
        TensorDef("x", "int8", (1, 2), quant=q),
        TensorDef("w", "int8", (3, 2), np.ones((3, 2), np.int8), Quant((1.0,), (0,))),
        TensorDef("y", "int8", (1, 3), quant=q),
    )
    return write_model([Graph(tensors, (Node("FULLY_CONNECTED", (0, 1), (2,)),), (0,), (2,))])


@pytest.fixture
def copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the sources with one kernel; what is the same as in the original comes from the cache."""
    copy = tmp_path / "micro"
    shutil.copytree(library.micro_folder(), copy, ignore=shutil.ignore_patterns("__pycache__"))
    for kernel in (copy / "src" / "ops").glob("*.c"):
        if kernel.stem != "squeeze":
            kernel.unlink()
    monkeypatch.setattr(library, "micro_folder", lambda: copy)
    return copy


@pytest.fixture
def small(copied: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the sources with one kernel, and a cache of its own."""
    monkeypatch.setenv("OPCONFORM_CACHE", str(tmp_path / "cache"))
    return copied


def test_a_missing_compiler_is_named_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(Unavailable, match=r"^gcc is missing; install it with: apt-get install gcc$"):
        Micro().command("host")


def test_a_source_that_does_not_compile_is_named_in_one_line(small: Path) -> None:
    (small / "src" / "core" / "arena.c").write_text("int broken(void) { return nothing; }\n")
    with pytest.raises(Unavailable, match=r"^gcc failed with status 1: .*arena\.c.*nothing.*$"):
        Micro().command("host")


def test_two_builds_at_once_make_one_program_that_is_kept(small: Path) -> None:
    with ThreadPoolExecutor(2) as pool:
        paths = list(pool.map(lambda _: build.build("worker", "host"), range(2)))
    stamp = paths[0].stat().st_mtime_ns
    assert paths[0] == paths[1] == build.build("worker", "host")
    assert paths[0].stat().st_mtime_ns == stamp
    (small / "src" / "ops" / "squeeze.c").open("a").write("/* changed */\n")
    assert build.build("worker", "host") != paths[0]


def test_the_manifest_names_the_targets_and_claims_kernels_that_exist() -> None:
    manifest = resolve("micro").manifest
    assert manifest.targets[0] == "host"
    assert manifest.arithmetic == "double_rounding"
    stems = library.op_stems()
    for row in manifest.rows:
        op = row.partition("/")[0].lower()
        assert any(stem.startswith(op) for stem in stems), row


def test_the_kernels_of_a_model_are_those_it_uses() -> None:
    assert build.required_kernels(dense()) == ("fully_connected_int8",)


def test_the_kernels_of_a_damaged_model_are_a_refusal() -> None:
    with pytest.raises(InvalidModel, match="no TFL3 identifier"):
        build.required_kernels(b"nonsense")


def link(place: Path, stems: tuple[str, ...]) -> tuple[int, int]:
    """Return flash, and RAM beside arena and stack, of an application on Cortex-M3 with these kernels."""
    source = library.micro_folder() / "src"
    (place / "main.c").write_text(APPLICATION)
    (place / "registry.c").write_text(library.registry_text(stems))
    flags = ["-mcpu=cortex-m3", "-mthumb", "-Os", "-std=c99", "-ffunction-sections", "-fdata-sections"]
    flags += ["--specs=picolibc.specs", "-ffp-contract=off", "-fno-strict-aliasing", "-nostartfiles"]
    files = [place / "main.c", place / "registry.c", *(source / "core").glob("*.c")]
    files += [source / "ops" / f"{stem}.c" for stem in stems]
    includes = [f"-I{library.micro_folder() / 'include'}", f"-I{source / 'core'}"]
    out = place / "image.elf"
    end = ["-Wl,--gc-sections", "-Wl,-e,main", "-lm", "-o", str(out)]
    subprocess.run([CROSS, *flags, *includes, *map(str, files), *end], check=True, capture_output=True)
    sizes = subprocess.run(["arm-none-eabi-size", "-A", out], check=True, capture_output=True, text=True).stdout
    table = {row.split()[0]: int(row.split()[1]) for row in sizes.splitlines() if row.startswith(".")}
    return table[".text"] + table.get(".data", 0), table.get(".data", 0) + table.get(".bss", 0)


@pytest.mark.skipif(shutil.which(CROSS) is None, reason="there is no cross compiler")
def test_core_and_hello_world_stay_within_their_flash_and_ram(tmp_path: Path) -> None:
    core, ram = link(tmp_path, ())
    hello, hello_ram = link(tmp_path, ("fully_connected_int8",))
    assert core <= CORE_BYTES
    assert hello <= HELLO_BYTES
    assert max(ram, hello_ram) <= RAM_BYTES


@pytest.mark.skipif(shutil.which("nm") is None, reason="there is no nm")
def test_the_library_asks_for_nothing_but_memory_copies_and_libm(tmp_path: Path) -> None:
    source = library.micro_folder() / "src"
    allowed = {"memcpy", "memset", "memmove", "memcmp"}
    defined, wanted = set[str](), set[str]()
    flags = ["-std=c99", "-O1", "-ffreestanding", "-fno-stack-protector", "-fno-math-errno"]
    includes = [f"-I{library.micro_folder() / 'include'}", f"-I{source / 'core'}"]
    objects = tmp_path / "library.o"
    files = [str(path) for path in sorted((source / "core").glob("*.c"))]
    subprocess.run(["gcc", *flags, *includes, *files, "-r", "-nostdlib", "-o", str(objects)], check=True)
    for line in subprocess.run(["nm", objects], check=True, capture_output=True, text=True).stdout.splitlines():
        *_, kind, name = line.split()
        (wanted if kind == "U" else defined).add(name)
    libm = {name for name in wanted if name.endswith("f") or name in {"floor", "exp", "sqrt", "round"}}
    assert wanted - defined - allowed - libm - {"_GLOBAL_OFFSET_TABLE_"} == set()


BROKEN = "static opc_status invoke(opc_node *node) {\n"
PREPARE = "static opc_status prepare(opc_node *node) {\n"


def squeezed(runtime: str) -> Outcome:
    tensors = (TensorDef("x", "int8", (1, 5)), TensorDef("y", "int8", (5,)))
    model = write_model([Graph(tensors, (Node("SQUEEZE", (0,), (1,), {"squeeze_dims": (0,)}),), (0,), (1,))])
    with closing(connect(resolve(runtime))) as executor:
        return executor.execute(model, [[np.zeros((1, 5), np.int8)]])


@pytest.mark.parametrize(("asked", "told"), [(0, 0), (8, 8), (20, 24)])
def test_the_worker_tells_the_scratch_that_a_kernel_asked_for(copied: Path, asked: int, told: int) -> None:
    kernel = copied / "src" / "ops" / "squeeze.c"
    text = kernel.read_text()
    assert text.count(PREPARE) == 1
    kernel.write_text(text.replace(PREPARE, f"{PREPARE}    opc_scratch(node, {asked});\n"))
    outcome = squeezed("micro@host")
    assert isinstance(outcome, Produced), outcome
    assert outcome.meters["scratch"] == told
    assert outcome.meters["arena"] >= 8 + told


@pytest.mark.parametrize(
    ("line", "words"), [("Y.data = 0;", ""), ("((char *)Y.data)[Y.bytes] = 0;", "AddressSanitizer: use-after-poison")]
)
def test_a_store_behind_a_tensor_ends_the_worker_under_sanitizers(copied: Path, line: str, words: str) -> None:
    """The rest of the arena is out of bounds, though it is one array."""
    kernel = copied / "src" / "ops" / "squeeze.c"
    text = kernel.read_text()
    assert text.count(BROKEN) == 1
    kernel.write_text(text.replace(BROKEN, f"{BROKEN}{{ opc_tensor Y; (void)opc_output(node, 0, &Y); {line} }}\n"))
    outcome = squeezed("micro@host-asan")
    assert isinstance(outcome, Crashed if words else Produced), outcome
    assert words in (outcome.detail if isinstance(outcome, Crashed) else "")
