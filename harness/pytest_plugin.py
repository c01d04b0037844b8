"""Collect specs/ops/*.yaml as tests. Light to import: everything heavy is imported where it is needed."""

from __future__ import annotations
