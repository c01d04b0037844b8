"""What the three systems are said to be, as data. It stands beside what is measured and judges nothing."""

from __future__ import annotations

from collections.abc import Mapping

#: Who says so.
SOURCE = "the comparison of the three systems in notes of HarvardX's TinyML course, which name no way of measuring"
SYSTEMS = ("TensorFlow", "TensorFlow Lite", "TensorFlow Lite Micro")
#: Which of the systems a runtime of this project belongs to.
SYSTEM_OF: Mapping[str, str] = {
    "tensorflow": SYSTEMS[0],
    "lite": SYSTEMS[1],
    "litert": SYSTEMS[1],
    "micro": SYSTEMS[2],
    "tflm": SYSTEMS[2],
}
#: Per claim what is promised of each of SYSTEMS.
PROMISED: Mapping[str, tuple[str, str, str]] = {
    "training": ("yes", "no", "no"),
    "inference": ("yes", "yes", "yes"),
    "ops": ("1,400", "130", "50"),
    "native_quantization": ("no", "yes", "yes"),
    "os_independence": ("no", "no", "yes"),
    "memory_mapped_models": ("no", "yes", "yes"),
    "delegation": ("yes", "yes", "no"),
    "distributed_compute": ("yes", "no", "no"),
    "binary_size": ("3 MB", "100 KB", "10 KB"),
    "base_memory": ("5 MB", "300 KB", "20 KB"),
    "fixed_weights": ("no", "yes", "yes"),
    "fixed_topology": ("no", "yes", "yes"),
}


def promised(runtime: str, claim: str) -> str:
    """Return what is promised of the system that a runtime (name or name@target) belongs to, "" for any other."""
    system = SYSTEM_OF.get(runtime.partition("@")[0])
    return PROMISED[claim][SYSTEMS.index(system)] if system else ""
