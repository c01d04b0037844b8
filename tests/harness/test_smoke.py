"""The smoke test of an adapter passes the real ones and meets every fake."""

import sys
from pathlib import Path

import pytest

from opconform.harness import registry
from opconform.harness.isolate import Limits
from opconform.harness.smoke import Check, lines, smoke

FAKES = Path(__file__).parents[1] / "fakes"
QUICK = Limits(hello=20, open=5, run=0.3, idle=2.0)


def failures(source: str) -> dict[str, str]:
    return {check.name: check.message for check in smoke(registry.resolve(source), QUICK) if not check.passed}


def test_a_real_runtime_passes() -> None:
    checks = smoke(registry.resolve("litert"))
    assert [check for check in checks if not check.passed] == []
    assert len(checks) >= 10


def test_prints_do_not_fail_an_adapter() -> None:
    assert failures(f"{FAKES}/fakes.py:prints_to_stdout") == {}


@pytest.mark.parametrize(
    ("fake", "name", "words"),
    [
        ("always_wrong", "runs ADD/float32", "want [[0.5, 1.5, 2.5]"),
        ("wrong_shape", "runs ADD/float32", "float32 [1, 2, 3], want float32 [2, 3]"),
        ("wrong_dtype", "runs ADD/float32", "float64 [2, 3], want float32 [2, 3]"),
        ("too_many_outputs", "runs ADD/float32", "2 outputs, the model has 1"),
        ("crashes", "runs ADD/float32", "SIGSEGV during RUN of vector 0"),
        ("hangs", "runs ADD/float32", "no answer within 0.3 s"),
        ("exits", "runs ADD/float32", "exited with status 3"),
        ("raises", "runs ADD/float32", "ZeroDivisionError"),
        ("declines", "runs a model of one op", "took none of ADD/float32, ABS/float32, ADD/int8"),
        ("crashes_at_open", "refuses an unknown operator", "raise Unsupported in open"),
        ("Forgetful", "forgets state when a model is opened again", "opened again [3.0], want [3.0, 6.0] and [0.0]"),
    ],
)
def test_a_fake_is_caught(fake: str, name: str, words: str) -> None:
    assert words in failures(f"{FAKES}/fakes.py:{fake}")[name]


def test_a_program_that_writes_garbage_is_caught() -> None:
    found = failures(f"exec:{sys.executable} -S {FAKES}/rude.py garbage")
    assert "no frame begins with" in found["starts"]


def test_a_program_that_does_not_start_is_one_failed_check_with_its_words() -> None:
    found = failures(f"exec:{sys.executable} -S {FAKES}/rude.py dies")
    assert list(found) == ["starts"]
    assert "rude: no such device" in found["starts"]


def test_every_check_is_one_line() -> None:
    handle = registry.resolve("litert")
    shown = lines(handle, [Check("starts", True), Check("runs ADD/float32", False, "no answer")])
    assert shown == ["ok   litert@ref starts", "FAIL litert@ref runs ADD/float32: no answer"]
