"""The check of each claim."""

from __future__ import annotations

from collections.abc import Mapping

from opconform.harness.claims import Check
from opconform.harness.claims_artefacts import check_binary_size, check_os_independence
from opconform.harness.claims_delegation import check_delegation
from opconform.harness.claims_memory import check_base_memory, check_mapped_models

CHECKS: Mapping[str, Check] = {
    "os_independence": check_os_independence,
    "memory_mapped_models": check_mapped_models,
    "delegation": check_delegation,
    "binary_size": check_binary_size,
    "base_memory": check_base_memory,
}
