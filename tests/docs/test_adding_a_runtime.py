"""What docs/adding-a-runtime.md shows is true: its manifest loads, its names exist."""

import re
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from opconform.harness import isolate, worker
from opconform.harness.isolate import InProcess
from opconform.harness.manifest import load_manifest
from opconform.harness.model import Declined, Produced, Rejected
from opconform.harness.runtime import InvalidModel

PAGE = Path(__file__).parents[2] / "docs" / "adding-a-runtime.md"

pytestmark = pytest.mark.skipif(not PAGE.is_file(), reason="the docs are not part of the wheel")


def block(language: str) -> str:
    found = re.search(rf"^```{language}\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    assert found
    return found.group(1)


def test_the_manifest_on_the_page_loads(tmp_path: Path) -> None:
    file = tmp_path / "runtime.yaml"
    file.write_text(block("yaml"))
    manifest = load_manifest(file)
    assert (manifest.name, manifest.variants) == ("mine", ("exact", "fast"))
    assert manifest.limits[0].when == "largest_rank > 4"


@pytest.fixture
def mine(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The class on the page, above an engine that negates its only input."""
    engine = SimpleNamespace(inputs=1, arena_bytes=64, invoke=lambda x: [-x], free=lambda: None)
    models = {b"good": lambda: engine, b"new": raising(KeyError("NEG")), b"bad": raising(OSError("no file"))}
    module = SimpleNamespace(load=lambda data: models[data](), Engine=object, UnknownOperator=KeyError, BadFile=OSError)
    monkeypatch.setitem(sys.modules, "my_engine", module)
    names: dict[str, Any] = {}
    exec(compile(block("python"), "my_runtime.py", "exec"), names)
    return names["MyRuntime"]()


def raising(error: Exception) -> Callable[[], None]:
    def load() -> None:
        raise error

    return load


def test_the_class_on_the_page_runs_models(mine: Any) -> None:
    session = mine.open(b"good")
    outcome = InProcess(mine).execute(b"good", [(np.array([1, -2]),)])
    assert isinstance(outcome, Produced)
    assert outcome.outputs[0][0].tolist() == [-1, 2]
    assert session.meters() == {"arena": 64}
    assert mine.describe().name == "mine"


@pytest.mark.parametrize(("model", "verdict"), [(b"new", Declined), (b"bad", Rejected)])
def test_the_class_on_the_page_says_what_it_cannot_do(mine: Any, model: bytes, verdict: type) -> None:
    assert isinstance(InProcess(mine).execute(model, []), verdict)


def test_the_session_on_the_page_counts_its_inputs(mine: Any) -> None:
    with pytest.raises(InvalidModel, match="0 inputs given, the model has 1"):
        mine.open(b"good").run([])


@pytest.mark.parametrize("name", ["warm", "command", "transport", "in_process"])
def test_the_optional_names_on_the_page_are_those_that_the_harness_asks_for(name: str) -> None:
    sources = "".join(Path(module.__file__ or "").read_text() for module in (isolate, worker))
    assert f'"{name}"' in sources
    assert f"`{name}" in PAGE.read_text()
