"""Sizes of code and symbols of an operating system, in what a runtime really runs."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from opconform.harness import budgets, claims_artefacts, claims_scripts, proc
from opconform.harness.claim_values import CLAIMS
from opconform.harness.claims import FAILS, HOLDS, Evidence, NotMeasurable, Subject, examine, judge
from opconform.harness.claims_artefacts import check_binary_size, check_os_independence

Subjects = Callable[[str], Subject]
KILOBYTE, MEGABYTE = 1 << 10, 1 << 20
EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "tiny_worker.c"

pytestmark = pytest.mark.skipif(not proc.can_measure(), reason="no /proc of Linux")
PLAIN = """
from opconform.harness.runtime import Manifest, Unsupported


class Plain:
    def __init__(self, at=""):
        pass

    def describe(self):
        return Manifest(name="plain")

    def open(self, model):
        raise Unsupported("not today")
"""


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a worker in C that is linked to the C library."""
    out = tmp_path_factory.mktemp("program") / "tiny_worker"
    subprocess.run(["gcc", "-std=c99", "-O2", str(EXAMPLE), "-o", str(out), "-lm"], check=True)
    return out


def test_the_package_of_litert_is_counted_and_nothing_of_python(subject: Subjects) -> None:
    evidence = check_binary_size(subject("litert"))
    assert isinstance(evidence.value, int)
    assert 5 * MEGABYTE < evidence.value < 60 * MEGABYTE
    assert "libpywrap_litert_common.so" in evidence.source
    assert "the package ai-edge-litert has" in evidence.source
    assert "libpython" not in evidence.source


def test_a_claim_that_is_too_small_does_not_hold(subject: Subjects) -> None:
    litert = subject("litert")
    nothing = {name: False for name, kind in CLAIMS.items() if kind is bool}
    claims = nothing | {"ops": 0, "binary_size": "1 KB", "base_memory": "9 GB"}
    small = replace(litert, handle=replace(litert.handle, manifest=replace(litert.handle.manifest, claims=claims)))
    assert examine(small, check_binary_size, "binary_size").verdict == FAILS
    assert judge("binary_size", 60 * MEGABYTE, check_binary_size(litert).value) == HOLDS


def test_machine_code_of_lite_is_counted_for_a_tiny_model_and_for_all_claimed_rows(subject: Subjects) -> None:
    few = replace(subject("lite").handle.manifest, rows=("ADD/float32", "ABS/*"), except_rows=())
    handle = replace(subject("lite").handle, manifest=few)
    evidence = check_binary_size(Subject(handle, lambda: pytest.fail("it needs no executor")))
    assert isinstance(evidence.value, int)
    assert KILOBYTE < evidence.value < 100 * KILOBYTE
    assert "all ops" in evidence.measured
    assert "compiled objects" in evidence.source
    assert "libllvmlite.so" in evidence.source


def test_a_runtime_in_plain_python_has_the_size_of_its_modules(subject: Subjects, tmp_path: Path) -> None:
    file = tmp_path / "plain.py"
    file.write_text(PLAIN + f"# {'x' * 5000}\n")
    evidence = check_binary_size(subject(f"{file}:Plain"))
    assert isinstance(evidence.value, int)
    assert 5000 < evidence.value < 6000
    assert "of Python in 1 module" in evidence.source


def test_code_and_data_of_a_program_are_counted_without_the_c_library(subject: Subjects, program: Path) -> None:
    evidence = check_binary_size(subject(f"exec:{program}"))
    assert isinstance(evidence.value, int)
    assert KILOBYTE < evidence.value < program.stat().st_size
    assert "tiny_worker" in evidence.source
    assert "libc" not in evidence.source


def test_a_program_with_a_heap_needs_an_operating_system(subject: Subjects, program: Path) -> None:
    evidence = check_os_independence(subject(f"exec:{program}"))
    assert evidence.value is False
    assert "malloc" in evidence.why or "fwrite" in evidence.why or "exit" in evidence.why


def test_what_runs_in_python_needs_an_operating_system(fake: Subjects) -> None:
    evidence = check_os_independence(fake("Mapper"))
    assert evidence.value is False
    assert evidence.why.startswith("it runs in Python, which needs one")


def linked(place: Path, text: str, *options: str) -> Path:
    (place / "program.c").write_text(text)
    out = place / "program"
    subprocess.run(["gcc", "-O1", str(place / "program.c"), "-o", str(out), *options], check=True)
    return out


def test_symbols_of_a_system_are_told_from_others_in_programs_linked_either_way(tmp_path: Path) -> None:
    bare = "void _start(void) { for (;;) {} } int twice(int x) { return 2 * x; }"
    heap = "#include <stdlib.h>\nint main(int n, char **a) { (void)a; return malloc((size_t)n) != 0; }"
    assert claims_artefacts._asked_of_system(linked(tmp_path, bare, "-nostdlib", "-static")) == frozenset()
    for options in ((), ("-static",)):
        assert "malloc" in claims_artefacts._asked_of_system(linked(tmp_path, heap, *options))


def test_a_program_without_symbols_proves_nothing(tmp_path: Path) -> None:
    bare = "void _start(void) { for (;;) {} }"
    with pytest.raises(NotMeasurable, match="program has no symbols"):
        claims_artefacts._asked_of_system(linked(tmp_path, bare, "-nostdlib", "-static", "-s"))


def test_the_image_of_micro_is_free_of_an_operating_system(subject: Subjects) -> None:
    evidence = measured(lambda: check_os_independence(subject("micro@cortex-m4")))
    assert evidence.value is True
    assert "cortex-m4" in evidence.source


def test_an_image_with_a_heap_is_not(subject: Subjects, monkeypatch: pytest.MonkeyPatch) -> None:
    table = budgets.FlashTable("cortex-m4", 1, 1, 1, 1, 1, {}, {}, ("malloc is linked (heap); micro has none of that",))
    monkeypatch.setattr(budgets, "measure_flash", lambda board: table)
    evidence = check_os_independence(subject("micro@cortex-m4"))
    assert evidence.value is False
    assert evidence.why == "malloc is linked (heap); micro has none of that"


def test_the_image_of_a_small_model_is_split_into_its_parts(subject: Subjects) -> None:
    evidence = measured(lambda: check_binary_size(subject("micro@cortex-m3")))
    assert isinstance(evidence.value, int)
    assert 4 * KILOBYTE < evidence.value < 20 * KILOBYTE
    assert "interpreter" in evidence.source
    assert "all ops" in evidence.measured


def measured(check: Callable[[], Evidence]) -> Evidence:
    """Return what a check finds; the test is skipped where the toolchain of the board is missing."""
    try:
        return check()
    except NotMeasurable as error:
        pytest.skip(str(error))


def test_a_worker_that_does_not_start_has_no_code_and_is_independent_of_nothing(subject: Subjects) -> None:
    size = examine(subject("exec:false"), check_binary_size, "binary_size").evidence
    independence = examine(subject("exec:false"), check_os_independence, "os_independence").evidence
    assert (size.value, independence.value) == (None, False)
    assert size.why == independence.why == "HELLO: exited with status 1"


@pytest.mark.skipif(shutil.which("node") is None, reason="no Node")
def test_scripts_of_packages_that_v8_ran_are_counted_with_their_webassembly(tmp_path: Path) -> None:
    engine = tmp_path / "node_modules" / "@maker" / "engine"
    (engine / "code").mkdir(parents=True)
    (engine / "code" / "index.js").write_text("module.exports = 1; //" + "x" * 1000)
    (engine / "code" / "unused.js").write_text("module.exports = 2;")
    (engine / "small.wasm").write_bytes(bytes(10))
    (engine / "large.wasm").write_bytes(bytes(500))
    record, main = tmp_path / "record", tmp_path / "main.js"
    main.write_text('require("./node_modules/@maker/engine/code/index.js");')
    subprocess.run(["env", f"NODE_V8_COVERAGE={record}", "node", str(main)], check=True)
    scripts = claims_scripts.scripts_of_packages(record)
    assert [path.name for path in scripts] == ["index.js"]
    assert [path.name for path in claims_scripts.webassembly(scripts)] == ["large.wasm"]
    (engine / "index.wasm").write_bytes(bytes(100))
    assert [path.name for path in claims_scripts.webassembly(scripts)] == ["index.wasm"]


@pytest.mark.skipif(shutil.which("node") is None, reason="no Node")
def test_scripts_of_tfjs_are_counted(subject: Subjects) -> None:
    evidence = measured(lambda: check_binary_size(subject("tfjs")))
    assert isinstance(evidence.value, int)
    assert 500 * KILOBYTE < evidence.value < 10 * MEGABYTE
    assert "tf-core" in evidence.source
