"""Real packages that train, in the environments that have them (tox -e tensorflow, -e tfjs): there none is skipped."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from opconform.harness.claims import HOLDS, UNMEASURED, Finding, Subject, examine
from opconform.harness.claims_training import check_distributed_compute, check_training

Subjects = Callable[[str], Subject]
TRAINERS = {
    "tensorflow": "OPCONFORM_REQUIRE_TENSORFLOW",
    "tfjs@node-cpu": "OPCONFORM_REQUIRE_NODE",
    "tfjs@node-wasm": "OPCONFORM_REQUIRE_NODE",
}


def there(found: Finding, required: str) -> Finding:
    """Return a finding; skip where the package is missing and may be."""
    if found.verdict == UNMEASURED and not os.environ.get(required):
        pytest.skip(found.evidence.why)
    return found


@pytest.mark.parametrize("name", TRAINERS)
def test_packages_that_claim_to_train_do(subject: Subjects, name: str) -> None:
    found = there(examine(subject(name), check_training, "training"), TRAINERS[name])
    assert found.verdict == HOLDS, found.evidence


def test_processes_of_tensorflow_share_a_batch(subject: Subjects) -> None:
    handle = subject("tensorflow")
    found = there(examine(handle, check_distributed_compute, "distributed_compute"), TRAINERS["tensorflow"])
    assert found.verdict == HOLDS, found.evidence
