"""The mutation tool changes one thing, in the code and nowhere else."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest
import yaml

from opconform.targets import library

SOURCE = """#include "add_1.h"
/* a + b, 3 times */ // a && b
static int sum(const int *x, int n) {
    int total = 0;
    for (int i = 0; i < n; i++) {
        total += -(x[i] * 2);
    }
    report("5 < 6");
    return total > INT8_MAX ? INT8_MAX : total;
}
"""


def load() -> ModuleType:
    file = Path(__file__).with_name("edits.py")
    spec = importlib.util.spec_from_file_location("opconform_mutant_edits", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


EDITS = load()


def shown() -> set[str]:
    return {edit.shown(SOURCE) for edit in EDITS.edits(SOURCE)}


@pytest.mark.parametrize(
    "change",
    [
        "int total = 0;  ->  int total = 1;",
        "for (int i = 0; i < n; i++) {  ->  for (int i = 0; i <= n; i++) {",
        "for (int i = 0; i < n; i++) {  ->  for (int i = 0; i < n - 1; i++) {",
        "total += -(x[i] * 2);  ->  total -= -(x[i] * 2);",
        "total += -(x[i] * 2);  ->  total += (x[i] * 2);",
        "total += -(x[i] * 2);  ->  total += -(x[i] + 2);",
        "total += -(x[i] * 2);  ->  /* removed */ ;",
        "return total > INT8_MAX ? INT8_MAX : total;  ->  return total < INT8_MAX ? INT8_MAX : total;",
        "return total > INT8_MAX ? INT8_MAX : total;  ->  return total > INT8_MIN ? INT8_MAX : total;",
    ],
)
def test_a_fault_that_somebody_might_write_is_among_the_edits(change: str) -> None:
    assert change in shown()


def test_comments_strings_and_directives_stay() -> None:
    assert {edit.line for edit in EDITS.edits(SOURCE)} == {4, 5, 6, 8, 9}
    assert [edit.kind for edit in EDITS.edits(SOURCE) if edit.line == 8] == ["removal"]


def test_every_edit_changes_the_text_and_keeps_its_lines() -> None:
    for edit in EDITS.edits(SOURCE):
        changed = edit.apply(SOURCE)
        assert changed != SOURCE
        assert changed.count("\n") == SOURCE.count("\n")


def test_python_is_changed_by_its_own_words() -> None:
    text = 'def f(a, b):\n    """Return a + b."""\n    return a // 2 if a and b else max(a, 3)  # a - b\n'
    news = sorted({edit.new for edit in EDITS.edits(text, python=True)})
    assert news == ["*", "1", "2", "3", "4", "min", "or"]


def test_every_fault_stands_once_in_its_file_and_names_operators_of_micro() -> None:
    names = {path.stem for path in (library.micro_folder() / "src" / "ops").glob("*.c")}
    for fault in yaml.safe_load(Path(__file__).with_name("faults.yaml").read_text(encoding="utf-8")):
        text = (library.micro_folder() / "src" / fault["file"]).read_text()
        assert text.count(fault["before"]) == 1, fault
        assert fault["before"] != fault["after"]
        assert all(any(name.startswith(op.lower()) for name in names) for op in fault["ops"]), fault
