"""Run the command line as `python -m opconform`."""

from opconform.harness.cli import main

if __name__ == "__main__":
    main()
