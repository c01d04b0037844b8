"""Board files are read strictly, and the cache of objects and images is shared safely."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from opconform.harness.runtime import Unavailable
from opconform.targets import build
from opconform.targets.boards import folder, load_target, parse_target, target_names
from opconform.targets.cache import BuildFailed
from opconform.targets.symbols import load_symbols

TEXT = (folder() / "cortex-m4" / "target.yaml").read_text()


@pytest.fixture
def fresh_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("OPCONFORM_CACHE", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("name", target_names())
def test_buffers_and_stacks_of_a_board_fit_its_memory(name: str) -> None:
    target = load_target(name)
    used = target.model_bytes + target.arena_bytes + target.stack_bytes + target.main_stack_bytes + target.guard_bytes
    assert used + 2 * target.io_bytes < target.ram.bytes
    assert target.name == name


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("clock_hz: 25000000", "clock_hz: fast", r"target\.yaml: clock_hz: found 'fast', int is allowed"),
        ("clock_hz: 25000000", "", "'clock_hz' is missing or unknown"),
        ("clock_hz: 25000000", "clock_hz: 25000000\nspeed: 1", "'speed' is missing or unknown"),
        ("bytes: 4194304}", "}", "Memory is allowed"),
        ("name: cortex-m4", "name: [", r"target\.yaml:\d+: "),
    ],
)
def test_a_bad_board_file_is_refused_with_the_key_at_fault(old: str, new: str, words: str) -> None:
    with pytest.raises(Unavailable, match=words) as caught:
        parse_target(TEXT.replace(old, new, 1), "target.yaml")
    assert "\n" not in str(caught.value)


def test_a_source_that_does_not_compile_is_one_line_with_the_compilers_first_error(
    fresh_cache: Path, tmp_path: Path
) -> None:
    source = tmp_path / "broken.c"
    source.write_text("int f(void) { return nothing; }\n")
    with pytest.raises(BuildFailed, match=r"broken\.c:1:\d+: error: 'nothing' undeclared") as caught:
        build.compile_objects(load_target("cortex-m4"), [source])
    assert "\n" not in str(caught.value)


def test_an_image_that_does_not_fit_its_board_says_so(tmp_path: Path) -> None:
    source = tmp_path / "large.c"
    source.write_text("char opc_model_buffer[1 << 20];\nvoid board_reset(void);\nvoid board_reset(void) "
                      "{ opc_model_buffer[0] = 1; }\n")  # fmt: skip
    target = load_target("cortex-m0")
    with pytest.raises(BuildFailed, match=r"will not fit|overflowed"):
        build.link_image(target, build.compile_objects(target, [source]))


def test_what_was_built_is_not_built_again(fresh_cache: Path) -> None:
    target, sources = load_target("cortex-m4"), build.platform_sources(load_target("cortex-m4"))
    first = build.compile_objects(target, sources)
    times = [path.stat().st_mtime_ns for path in first]
    assert build.compile_objects(target, sources) == first
    assert [path.stat().st_mtime_ns for path in first] == times


def test_other_flags_make_other_objects(fresh_cache: Path) -> None:
    target, sources = load_target("cortex-m4"), build.platform_sources(load_target("cortex-m4"))[:1]
    assert build.compile_objects(target, sources) != build.compile_objects(target, sources, ("-O2",))


def test_builders_at_the_same_time_agree_and_leave_nothing_behind(fresh_cache: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        paths = set(pool.map(lambda _: build.build_plugin(), range(4)))
    assert len(paths) == 1
    assert [path.name for path in (fresh_cache / "plugins").iterdir()] == [paths.pop().name]


def test_a_function_is_found_by_any_address_inside_it(make_image: Callable[[str], build.Image]) -> None:
    symbols = load_symbols(make_image("cortex-m4").symbols)
    start, size = symbols.address("platform_fault"), symbols.size("platform_fault")
    assert symbols.function(start) == "platform_fault"
    assert symbols.function(start + size - 2) == "platform_fault"
    assert symbols.function(start + size) != "platform_fault"
    assert symbols.function(0xB0000000) == ""
