"""The runtime `lite`: an interpreter of .tflite files with kernels compiled by numba."""

from opconform.runtimes.lite.interpreter import Lite

__all__ = ["Lite"]
