"""The check of each claim."""

from __future__ import annotations

from collections.abc import Mapping

from opconform.harness.claims import Check

CHECKS: Mapping[str, Check] = {}
