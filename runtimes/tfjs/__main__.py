"""`python -m opconform.runtimes.tfjs` installs what the worker needs and prints where it is."""

import sys

from opconform.runtimes.tfjs.packages import packages
from opconform.targets.javascript.packages import main

if __name__ == "__main__":
    sys.exit(main(packages()))
