"""`opconform fuzz`: mutated models and frames against micro under sanitizers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from opconform.harness import fuzz
from opconform.harness.cli.common import AS_EXPECTED, DEVIATIONS, console
from opconform.harness.registry import resolve
from opconform.harness.runner import load_oracle
from opconform.harness.spec_load import load_all, spec_folder
from opconform.runtimes.micro.build import build

HELP = """\
Mutants of models are opened and invoked, and the wire worker is sent damaged frames, in turn. The models are the
canonical cases of all ops and types that micro has and those of specs/models, or the .tflite files of --models.
The same --seed gives the same mutants; how far a run comes depends on the machine.
Whatever misbehaves (a sanitizer's report, a signal, no end) is written to --findings with the report beside it, and
printed with the command that repeats it. --replay runs such a file alone.
Exit code 0: nothing found; 1: findings; 2: bad input or no compiler.

Example: opconform fuzz --seconds 3600 --seed 7
"""


def register(app: typer.Typer) -> None:
    """Add the subcommand."""
    app.command("fuzz", help=HELP)(command)


def command(
    seconds: Annotated[float, typer.Option(min=0.0, help="How long.")] = 60.0,
    seed: Annotated[int, typer.Option(min=0, help="Seed of all mutants.")] = 0,
    models: Annotated[
        Path | None, typer.Option("--models", metavar="DIR", help="Start from the models of this folder.")
    ] = None,
    findings: Annotated[Path, typer.Option("--findings", metavar="DIR", help="Where findings go.")] = Path("out/fuzz"),
    replay: Annotated[
        Path | None, typer.Option("--replay", metavar="FILE", help="Run a finding again and nothing else.")
    ] = None,
) -> int:
    """Fuzz, or replay a finding."""
    if replay is not None and not replay.is_file():
        raise typer.BadParameter(f"--replay {replay}: there is no such file; findings are written by opconform fuzz")
    programs = fuzz.Programs(build("fuzz", "host-asan"), build("worker", "host-asan"))
    if replay is not None:
        return _replay(programs, replay)
    samples = fuzz.samples_of_folder(models) if models is not None else _default_samples()
    if not samples:
        raise typer.BadParameter(f"--models {models}: holds no .tflite file; name a folder with models")
    return _fuzz(programs, samples, seed, seconds, findings)


def _default_samples() -> list[fuzz.Sample]:
    specs = list(load_all().values())
    ops = fuzz.samples_of_specs(specs, load_oracle().kernels, resolve("micro@host-asan").manifest)
    return [*ops, *fuzz.samples_of_folder(spec_folder().parent / "models")]


def _fuzz(programs: fuzz.Programs, samples: list[fuzz.Sample], seed: int, seconds: float, findings: Path) -> int:
    out = console()
    out.print(f"{len(samples)} models, seed {seed}, {seconds:.0f} s", markup=False)
    done = []
    for one in fuzz.rounds(programs, samples, seed, seconds):
        done.append(one)
        if one.finding is not None:
            path = fuzz.keep(one.finding, findings)
            out.print(
                f"{one.finding.name}: {one.finding.reason}; replay: opconform fuzz --replay {path}",
                markup=False,
                soft_wrap=True,
            )
    for line in fuzz.summary(done):
        out.print(line, markup=False, soft_wrap=True)
    found = sum(one.finding is not None for one in done)
    out.print(f"{found} findings" + (f" in {findings}" if found else ""), markup=False)
    return DEVIATIONS if found else AS_EXPECTED


def _replay(programs: fuzz.Programs, path: Path) -> int:
    finding = fuzz.replay(programs, path)
    out = console()
    if finding is None:
        out.print(f"{path}: nothing misbehaves any more", markup=False, soft_wrap=True)
        return AS_EXPECTED
    out.print(finding.report, markup=False, soft_wrap=True)
    out.print(f"{path}: {finding.reason}", markup=False, soft_wrap=True)
    return DEVIATIONS
