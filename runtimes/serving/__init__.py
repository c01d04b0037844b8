"""The runtime `serving`: models behind an inference server, over four protocols (docs/serving.md)."""

from opconform.runtimes.serving.client import Serving

__all__ = ["Serving"]
