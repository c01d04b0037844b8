"""Targets: where a runtime executes; data and C, and the launcher of each kind."""
