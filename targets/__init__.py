"""Targets: boards as data under QEMU, one folder each, with the platform in C, the meter plugin and the launcher."""
