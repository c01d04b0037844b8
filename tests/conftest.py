"""What tests of several folders need."""

from __future__ import annotations

import os
from typing import Any

import pytest

from opconform.harness.runtime import Unavailable
from opconform.runtimes.tensorflow.package import tensorflow


@pytest.fixture(scope="session")
def tf() -> Any:
    """Return TensorFlow; without it a test is skipped, or fails where OPCONFORM_REQUIRE_TENSORFLOW is set."""
    try:
        return tensorflow()
    except Unavailable as error:
        if os.environ.get("OPCONFORM_REQUIRE_TENSORFLOW"):
            pytest.fail(str(error))
        pytest.skip(str(error))
