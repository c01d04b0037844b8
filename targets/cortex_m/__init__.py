"""Cortex-M boards under QEMU: data per board, the firmware's platform in C, the meter plugin and the launcher."""
