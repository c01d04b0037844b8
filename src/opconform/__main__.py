"""Run the command line: the program `opconform`, or `python -m opconform`."""

from __future__ import annotations


def main() -> None:
    """Run the command line."""
    # Imported here: processes that a run starts (--jobs) import the program's own module, and need no command line.
    from opconform.harness.cli import main as command_line

    command_line()


if __name__ == "__main__":
    main()
