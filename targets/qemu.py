"""Start QEMU for a board as a worker of harness/pipes.py."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from opconform.harness.pipes import Child
from opconform.harness.transport import NotStarted, die_with_parent


@dataclass(frozen=True, slots=True)
class Machine:
    """What one QEMU runs. `budget` is what the firmware allows an invocation, in centiseconds of QEMU's CPU time."""

    program: str
    machine: str
    options: tuple[str, ...]
    elf: Path
    plugin: Path
    page: int
    budget: int


def command(machine: Machine) -> list[str]:
    """Return the arguments of QEMU: no devices but the machine's own, semihosting, the meter plugin."""
    return [
        *(machine.program, "-M", machine.machine, "-nodefaults", "-display", "none"),
        *("-monitor", "none", "-serial", "none", "-kernel", str(machine.elf), *machine.options),
        *("-semihosting-config", f"enable=on,target=native,arg={machine.budget}"),
        *("-plugin", f"{machine.plugin},page=/proc/self/fd/{machine.page}"),
    ]


class Qemu:
    """A nursery of QEMU processes. Each runs in a folder that is thrown away: semihosting can write files."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._folder = Path(tempfile.mkdtemp(prefix="opconform-qemu-"))

    def spawn(self) -> Child:
        """Start QEMU. Raises NotStarted."""
        # QEMU's last line seldom says what happened, so its messages go to a file and the pipe stays silent.
        silent, kept = os.pipe()
        try:
            with self._log.open("wb") as log:
                process = subprocess.Popen(
                    command(self._machine), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, bufsize=0,
                    cwd=self._folder, pass_fds=(self._machine.page, kept), start_new_session=True,
                    preexec_fn=die_with_parent,
                )  # fmt: skip
        except OSError as error:
            os.close(silent)
            raise NotStarted(f"{self._machine.program}: {error.strerror or error}") from error
        finally:
            os.close(kept)
        ends = [os.dup(file.fileno()) for file in (process.stdin, process.stdout) if file]
        for file in (process.stdin, process.stdout):
            if file:
                file.close()
        return Child(process.pid, ends[0], ends[1], silent, lambda: _status(process))

    @property
    def _log(self) -> Path:
        return self._folder / "qemu.log"

    def last_words(self) -> str:
        """Return the line of QEMU's messages that says why it ended, or ""."""
        text = ""
        with contextlib.suppress(OSError):
            text = self._log.read_text(errors="replace")
        lines = [line.strip() for line in text.splitlines() if line.strip() and "warning:" not in line]
        return next((line for line in lines if "qemu" in line), lines[-1] if lines else "")[:300]

    def close(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self._folder, ignore_errors=True)


def _status(process: subprocess.Popen[bytes]) -> int:
    """Return the wait status as os.waitpid gives it."""
    try:
        code = process.wait(timeout=1)
    except subprocess.TimeoutExpired:
        process.kill()
        code = process.wait()
    return -code if code < 0 else code << 8
