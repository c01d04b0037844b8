"""The TensorFlow package, imported when it is first needed: on one thread, and without oneDNN."""

from __future__ import annotations

import importlib
import os
from typing import Any

from opconform.harness.runtime import Unavailable

GET = "run: tox -e tensorflow (or pip install 'opconform[tensorflow]')"


def tensorflow() -> Any:
    """Return the module. Raises Unavailable with how to get it."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
    try:
        tf = importlib.import_module("tensorflow")
        tf.config.threading.set_intra_op_parallelism_threads(1)
        tf.config.threading.set_inter_op_parallelism_threads(1)
    except ImportError as error:
        raise Unavailable(f"tensorflow: {error}; {GET}") from error
    except RuntimeError:  # its threads run already: they were set when it was first imported
        pass
    return tf
