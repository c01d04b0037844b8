"""A function in a process of its own: its answer, its error, its death and its silence come back."""

from __future__ import annotations

import os
import time

import pytest

from opconform.harness.apart import Lost, apart
from opconform.harness.registry import UnknownRuntime, resolve
from opconform.harness.runtime import RuntimeFailure


def test_the_answer_comes_from_another_process() -> None:
    assert apart(os.getpid) != os.getpid()
    assert apart(divmod, 7, 3) == (2, 1)


def test_an_error_of_the_harness_keeps_its_kind_and_any_other_its_words() -> None:
    with pytest.raises(RuntimeFailure, match="ZeroDivisionError"):
        apart(divmod, 7, 0)
    with pytest.raises(UnknownRuntime, match="nobody"):
        apart(resolve, "nobody")


def test_a_death_is_told_with_its_status() -> None:
    with pytest.raises(Lost, match="ended with status 9"):
        apart(os._exit, 9)


def test_silence_ends_the_process() -> None:
    with pytest.raises(Lost, match=r"no answer within 0\.5 s"):
        apart(time.sleep, 60, seconds=0.5)
