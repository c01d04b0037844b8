"""What a process imports before it does what it is for: a start is paid by every part of a run and by every worker."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import entry_points

import pytest

from opconform.harness.cli.commands import COMMANDS


def imported(code: str) -> set[str]:
    """Return the packages that a fresh interpreter has imported once it ran some code."""
    told = f"import sys\n{code}\nprint(*sys.modules)"
    ended = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)
    return set(ended.stdout.splitlines()[-1].split())


def test_the_list_of_commands_needs_no_arithmetic_and_no_command() -> None:
    found = imported("from opconform.harness.cli import app\napp(['--help'], standalone_mode=False)")
    assert not {"numpy", "yaml", "hypothesis"} & found
    modules = {f"opconform.harness.cli.{command.module}" for command in COMMANDS.values()}
    assert not modules & found


def test_a_command_imports_no_other_one() -> None:
    found = imported("from opconform.harness.cli import app\napp(['list', '--help'], standalone_mode=False)")
    assert "opconform.harness.cli.listing" in found
    assert not {"opconform.harness.cli.run", "hypothesis", "jinja2", "jsonschema"} & found


def test_a_run_imports_no_writers_of_reports_before_its_first_row() -> None:
    found = imported("import opconform.harness.cli.run")
    assert not {"hypothesis", "pytest", "jinja2", "jsonschema", "elftools", "opconform.harness.bench"} & found


@pytest.mark.parametrize("runtime", ["lite", "reference"])
def test_the_process_of_a_runtime_has_neither_generator_nor_command_line(runtime: str) -> None:
    found = imported(f"from opconform.harness import worker, registry\nregistry.resolve('{runtime}').instantiate()")
    assert not {"hypothesis", "typer", "rich", "jinja2", "opconform.harness.runner"} & found


def test_a_process_of_a_crew_has_no_command_line() -> None:
    assert not {"typer", "rich"} & imported("import opconform.harness.runner")


def test_the_program_itself_imports_no_command_line_before_it_is_called() -> None:
    (program,) = entry_points(group="console_scripts", name="opconform")
    assert not {"typer", "opconform.harness.cli"} & imported(f"import {program.module}")
