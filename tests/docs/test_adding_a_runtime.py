"""What docs/adding-a-runtime.md shows is true: its manifest loads, its names exist."""

import re
from pathlib import Path

import pytest

from opconform.harness import isolate, transport, worker
from opconform.harness.manifest import load_manifest

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


def test_the_class_on_the_page_compiles() -> None:
    compile(block("python"), "my_runtime.py", "exec")


@pytest.mark.parametrize("name", ["warm", "command", "transport", "in_process"])
def test_the_optional_names_on_the_page_are_those_that_the_harness_asks_for(name: str) -> None:
    sources = "".join(Path(module.__file__ or "").read_text() for module in (isolate, worker))
    assert f'"{name}"' in sources
    assert f"`{name}" in PAGE.read_text()
    assert transport.Transport
