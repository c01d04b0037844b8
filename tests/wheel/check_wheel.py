"""Check an installed wheel against the checkout that it was built from: `check_wheel.py CHECKOUT`.

Run outside the checkout, in an environment where the wheel is installed. It asserts that nothing is missing from the
package, that no folder of it is importable at top level, and that the command line works on the installed specs.
"""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

#: Folders of the checkout that stand under `opconform` in the wheel.
FOLDERS = ("harness", "runtimes", "targets", "reports", "specs")
IDENTITY = "src/opconform"
#: What a build leaves behind in the folders.
LEFT_BEHIND = {"__pycache__", "node_modules"}
#: What the brief of the package names; each pattern must be there at least once, or the list itself is out of date.
KINDS = (
    "specs/ops/*.yaml",
    "specs/schema.json",
    "specs/models/*.tflite",
    "harness/cli/*.py",
    "runtimes/*/runtime.yaml",
    "runtimes/micro/CMakeLists.txt",
    "runtimes/micro/*.cmake",
    "runtimes/micro/examples/*/main.c",
    "runtimes/micro/examples/*/*.tflite",
    "runtimes/micro/include/*.h",
    "runtimes/micro/src/core/*.[ch]",
    "runtimes/micro/src/ops/*.c",
    "runtimes/micro/worker/*.[ch]",
    "targets/*/target.yaml",
    "targets/*/architecture.yaml",
    "targets/*/entry.S",
    "targets/common/*",
    "targets/javascript/*.mjs",
    "targets/javascript/page.html",
    "targets/javascript/browser.sh",
    "targets/javascript/package-lock.json",
    "targets/meter/*",
    "reports/templates/*.html",
)
COMMANDS = (
    ("run", "--op", "ABS", "--row", "float32", "--runtime", "lite", "--log", "run.jsonl"),
    ("lint", "--op", "ABS"),
    ("report", "run.jsonl", "--html", "site"),
)


def main(arguments: Sequence[str]) -> int:
    """Check everything; print one line."""
    if len(arguments) != 1:
        print("usage: check_wheel.py CHECKOUT", file=sys.stderr)
        return 2
    checkout, package = Path(arguments[0]).resolve(), installed()
    wanted = packaged(checkout)
    defects = [*missing(wanted, checkout, package), *unmatched(wanted), *importable(), *bad_commands()]
    for defect in defects:
        print(f"check_wheel: {defect}", file=sys.stderr)
    state = f"{len(defects)} defects" if defects else "all there"
    print(f"wheel: {len(wanted)} files of the checkout, {len(COMMANDS)} commands outside it: {state}")
    return 1 if defects else 0


def installed() -> Path:
    """Return the folder of the installed package; an editable link would prove nothing."""
    import opconform

    folder = Path(str(opconform.__file__)).resolve().parent
    if folder.parent.name != "site-packages":
        sys.exit(f"check_wheel: opconform is imported from {folder}, not from an installed wheel; install the wheel")
    return folder


def packaged(checkout: Path) -> list[Path]:
    """Return the files that belong into the package, relative to the checkout: the committed ones.

    Where git does not tell them, these are all files but those that a build leaves behind.
    """
    found = (path for folder in FOLDERS for path in sorted((checkout / folder).rglob("*")))
    own = (checkout / IDENTITY / name for name in ("__init__.py", "__main__.py", "py.typed"))
    every = (path.relative_to(checkout) for path in (*found, *own) if not LEFT_BEHIND & set(path.parts))
    return [path for path in committed(checkout) or every if (checkout / path).is_file()]


def committed(checkout: Path) -> list[Path]:
    """Return the committed files of the package; none where there is no git, or no checkout that it reads."""
    if shutil.which("git") is None or not (checkout / ".git").exists():
        return []
    command = ["git", "-C", str(checkout), "ls-files", "-z", "--", *FOLDERS, IDENTITY]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return [Path(name) for name in done.stdout.split("\0") if name]


def place(path: Path, package: Path) -> Path:
    """Return where a file of the checkout stands in the package."""
    inner = path.relative_to(IDENTITY) if path.is_relative_to(IDENTITY) else path
    return package / inner


def missing(wanted: Sequence[Path], checkout: Path, package: Path) -> list[str]:
    """Return a line per file that is not there or differs."""
    lines = []
    for path in wanted:
        there = place(path, package)
        if not there.is_file():
            lines.append(f"{path} is not in the wheel; see [tool.hatch.build.targets.wheel] in pyproject.toml")
        elif there.read_bytes() != (checkout / path).read_bytes():
            lines.append(f"{path} differs from the wheel's; build it again")
    return lines


def unmatched(wanted: Sequence[Path]) -> list[str]:
    """Return a line per kind of file that the checkout has none of."""
    return [f"no file of the checkout is {kind}" for kind in KINDS if not any(path.match(kind) for path in wanted)]


def importable() -> list[str]:
    """Return a line per folder that would shadow other people's modules."""
    found = [name for name in FOLDERS if importlib.util.find_spec(name) is not None]
    return [f"'import {name}' works at top level; only opconform.{name} may" for name in found]


def bad_commands() -> list[str]:
    """Run the command line in a folder of its own; return a line per command that does not exit with 0."""
    lines = []
    with tempfile.TemporaryDirectory() as folder:
        for command in COMMANDS:
            done = subprocess.run(
                [sys.executable, "-m", "opconform", *command], cwd=folder, capture_output=True, text=True, timeout=600
            )
            if done.returncode:
                words = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:]
                lines.append(f"opconform {' '.join(command)}: exit {done.returncode}: {' '.join(words)}")
    return lines


if __name__ == "__main__":
    # The folder of this script, which lies in the checkout, is the first entry of the path.
    sys.path.pop(0)
    sys.exit(main(sys.argv[1:]))
