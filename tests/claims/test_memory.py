"""Mapped models and base memory: what takes memory is seen, however it is taken."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from opconform.harness import claims_boards, proc
from opconform.harness.claims import HOLDS, Evidence, NotMeasurable, Subject, examine, judge
from opconform.harness.claims_boards import Placed
from opconform.harness.claims_memory import check_base_memory, check_mapped_models
from opconform.harness.claims_models import ROWS, SMALL, WIDTH, dense, lookup
from opconform.harness.claims_worker import idle
from opconform.runtimes.litert import LiteRT
from opconform.targets.meters import Region

Subjects = Callable[[str], Subject]
Refuted = Callable[[Evidence, str], None]
MEGABYTE = 1 << 20
EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "tiny_worker.c"

pytestmark = pytest.mark.skipif(not proc.can_measure(), reason="no /proc of Linux")


def test_questions_are_answered_by_a_real_runtime_and_by_no_other_numbers() -> None:
    for question in (lookup(8), dense(16), *(small() for small in SMALL.values())):
        outputs = tuple(LiteRT().open(question.model).run(question.inputs))
        assert question.is_answered(outputs)
        assert not question.is_answered(tuple(output + np.float32(1) for output in outputs))
        assert not question.is_answered(())


def test_the_table_of_the_large_model_takes_64_mb() -> None:
    assert 4 * ROWS * WIDTH == 64 * MEGABYTE
    assert len(lookup(ROWS).model) > 64 * MEGABYTE


@pytest.mark.parametrize("name", ["lite", "litert"])
def test_runtimes_that_map_files_are_seen_to(subject: Subjects, name: str) -> None:
    evidence = check_mapped_models(subject(name))
    assert evidence.value is True, evidence
    assert "of 64 MB" in evidence.measured
    assert "own memory" in evidence.source
    assert "pages of files" in evidence.source


@pytest.mark.parametrize("name", ["Copier", "Forgetter", "Toucher"])
def test_a_model_that_comes_into_memory_is_not_mapped_even_if_it_goes_again(fake: Subjects, name: str) -> None:
    evidence = check_mapped_models(fake(name))
    assert evidence.value is False
    assert evidence.why == "more than a 10th of the model is in memory"


def test_a_mapped_model_that_answers_wrong_is_not_enough(fake: Subjects, refuted: Refuted) -> None:
    refuted(check_mapped_models(fake("WrongFromFile")), "wrong")


def test_a_runtime_without_open_file_maps_nothing(fake: Subjects) -> None:
    evidence = check_mapped_models(fake("DeclinesAll"))
    assert evidence.value is False
    assert evidence.why == "OPEN_FILE: DeclinesAll@host opens no files: it has no method open_file"


@pytest.mark.parametrize("name", ["Hoarder", "Sharer"])
def test_what_a_runtime_takes_for_any_model_counts_as_base_memory(fake: Subjects, name: str) -> None:
    honest, greedy = check_base_memory(fake("Mapper")), check_base_memory(fake(name))
    assert isinstance(honest.value, int)
    assert isinstance(greedy.value, int)
    assert MEGABYTE / 4 < honest.value < 20 * MEGABYTE
    assert 60 * MEGABYTE < greedy.value - honest.value < 70 * MEGABYTE
    assert judge("base_memory", 60 * MEGABYTE, greedy.value) != HOLDS


def test_pages_of_files_stand_beside_base_memory_and_are_none_of_it(fake: Subjects) -> None:
    evidence = check_base_memory(fake("Reader"))
    assert isinstance(evidence.value, int)
    assert evidence.value < 20 * MEGABYTE
    assert re.search(r"beside it [67]\d(\.\d)? MB of pages of files", evidence.source), evidence.source


def test_a_runtime_that_runs_no_small_model_shows_no_base_memory(fake: Subjects) -> None:
    evidence = examine(fake("DeclinesAll"), check_base_memory, "base_memory").evidence
    assert evidence.value is None
    assert "supports nothing" in evidence.why


def test_a_runtime_that_takes_one_operator_at_a_time_is_measured_with_add(subject: Subjects, tmp_path: Path) -> None:
    program = tmp_path / "tiny_worker"
    subprocess.run(["gcc", "-std=c99", "-O2", str(EXAMPLE), "-o", str(program), "-lm"], check=True)
    evidence = check_base_memory(subject(f"exec:{program}"))
    assert isinstance(evidence.value, int)
    assert 0 < evidence.value < 20 * MEGABYTE
    assert evidence.source.startswith("anonymous and shared memory of 1 process after ADD")
    assert "nothing is subtracted" in evidence.source


def test_the_interpreter_alone_takes_memory_that_is_not_the_runtimes(subject: Subjects) -> None:
    with idle(subject("litert").handle) as empty:
        assert MEGABYTE < proc.resident(empty.pid).total < 100 * MEGABYTE


def test_a_worker_that_does_not_start_has_no_memory(subject: Subjects) -> None:
    broken = subject("exec:false")
    assert check_mapped_models(broken).value is False
    assert examine(broken, check_base_memory, "base_memory").evidence.value is None


def test_a_runtime_that_is_not_installed_is_not_measurable(subject: Subjects) -> None:
    missing = subject("litert")
    missing = replace(missing, handle=replace(missing.handle, unavailable="litert: missing; run: pip install it"))
    finding = examine(missing, check_base_memory, "base_memory")
    assert finding.evidence.value is None
    assert finding.evidence.why == "litert: missing; run: pip install it"


FLASH = Region("flash", 0, 1 << 22)
GOOD = Placed(512 * 1024, Region("model", 0x2000, 0x2000 + 520 * 1024), FLASH, 16 * 1024, 131_072)


def test_weights_are_read_where_they_lie_in_flash() -> None:
    assert GOOD.wrong == ""


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"model": Region("model", 0x20000000, 0x20082000)}, "which is not in flash"),
        ({"loads": 1000}, "1000 loads from the model cannot have read its 524288 bytes"),
        ({"ram": 600 * 1024}, "614400 bytes of RAM have room for more than a 10th"),
    ],
)
def test_weights_that_are_copied_or_lie_in_ram_are_seen(changed: dict[str, Any], words: str) -> None:
    assert words in replace(GOOD, **changed).wrong


@pytest.mark.parametrize("board", ["micro@cortex-m0", "micro@cortex-m55"])
def test_boards_read_weights_in_flash(subject: Subjects, board: str) -> None:
    pytest.importorskip("elftools")
    evidence = measured(lambda: check_mapped_models(subject(board)))
    assert evidence.value is True, evidence
    assert "in flash" in evidence.source


def test_a_small_board_takes_ram_of_the_size_of_its_arena_and_stack(subject: Subjects) -> None:
    evidence = measured(lambda: check_base_memory(subject("micro@cortex-m3")))
    assert isinstance(evidence.value, int)
    assert 500 < evidence.value < 4096
    assert "arena" in evidence.source


def measured(check: Callable[[], Evidence]) -> Evidence:
    """Return what a check finds; the test is skipped where the toolchain of the board is missing."""
    try:
        return check()
    except NotMeasurable as error:
        pytest.skip(str(error))


def test_micro_on_this_machine_is_asked_by_the_image_of_a_board(subject: Subjects) -> None:
    assert claims_boards.builds_images(subject("micro").handle)
    assert not claims_boards.builds_images(subject("lite").handle)
