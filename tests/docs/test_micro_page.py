"""The example of docs/micro.md builds as the page says and runs."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "micro.md"
HEADERS = ROOT / "runtimes" / "micro" / "include"

pytestmark = pytest.mark.skipif(not PAGE.is_file(), reason="the docs are not part of the wheel")


def block(language: str) -> str:
    found = re.search(rf"^```{language}\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    assert found
    return found[1]


@pytest.mark.skipif(shutil.which("cmake") is None, reason="there is no cmake")
def test_the_example_builds_as_a_cmake_project_of_its_own_and_runs(tmp_path: Path) -> None:
    (tmp_path / "main.c").write_text(block("c"))
    (tmp_path / "CMakeLists.txt").write_text(block("cmake"))
    configure, build = (line.split() for line in block("sh").splitlines()[:2])
    absolute = [re.sub(r"=(runtimes|specs)/", rf"={ROOT}/\1/", word) for word in configure]
    for command in ([*absolute, "-DCMAKE_BUILD_TYPE=Debug"], build):
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    ran = subprocess.run([tmp_path / "out" / "application"], capture_output=True, text=True, check=False)
    assert re.fullmatch(r"arena: \d+ bytes, output: \d+ bytes\n", ran.stdout), ran.stdout
    assert ran.returncode == 0


def test_every_call_of_the_table_is_in_the_header() -> None:
    header = (HEADERS / "opconform_micro.h").read_text()
    calls = re.findall(r"^\| `(opc_\w+)` \|", PAGE.read_text(), re.MULTILINE)
    assert calls
    assert [call for call in calls if f"{call}(" not in header] == []
