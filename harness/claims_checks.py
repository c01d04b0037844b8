"""The check of each claim."""

from __future__ import annotations

from collections.abc import Mapping

from opconform.harness.claims import Check
from opconform.harness.claims_artefacts import check_binary_size, check_os_independence
from opconform.harness.claims_delegation import check_delegation
from opconform.harness.claims_fixed import check_fixed_topology, check_fixed_weights
from opconform.harness.claims_inference import check_inference, check_native_quantization
from opconform.harness.claims_memory import check_base_memory, check_mapped_models
from opconform.harness.claims_ops import check_ops
from opconform.harness.claims_training import check_distributed_compute, check_training

CHECKS: Mapping[str, Check] = {
    "training": check_training,
    "inference": check_inference,
    "ops": check_ops,
    "native_quantization": check_native_quantization,
    "os_independence": check_os_independence,
    "memory_mapped_models": check_mapped_models,
    "delegation": check_delegation,
    "distributed_compute": check_distributed_compute,
    "binary_size": check_binary_size,
    "base_memory": check_base_memory,
    "fixed_weights": check_fixed_weights,
    "fixed_topology": check_fixed_topology,
}
