"""CUSTOM operators: found by name, told their options by a FlexBuffer map."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from opconform.runtimes.lite.flexmap import read_map
from opconform.runtimes.lite.graph import Node, Prepared
from opconform.runtimes.lite.kernels import detection

CUSTOM_OPS: Mapping[str, Callable[[Node, Mapping[str, float]], Prepared]] = {
    "TFLite_Detection_PostProcess": detection.prepare_detection,
}


def prepare_custom(node: Node) -> Prepared:
    """Prepare a CUSTOM operator by its name. Raises Unsupported for a name that is not known."""
    name = node.options.custom
    if name not in CUSTOM_OPS:
        raise node.unsupported(f"the custom operator {name!r}; {', '.join(CUSTOM_OPS)} are supported")
    return CUSTOM_OPS[name](node, read_map(node.options.stored))
