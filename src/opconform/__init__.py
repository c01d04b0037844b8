"""opconform: a spec-driven conformance suite for neural-network operators."""

__version__ = "0.4.0"
