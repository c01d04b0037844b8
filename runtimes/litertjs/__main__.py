"""`python -m opconform.runtimes.litertjs` installs what the worker needs and prints where it is."""

import sys

from opconform.runtimes.litertjs import GET, engine
from opconform.targets.javascript.packages import main
from opconform.targets.javascript.workers import driver_packages

if __name__ == "__main__":
    sys.exit(main(engine().packages, driver_packages(GET)))
