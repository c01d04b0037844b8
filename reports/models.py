"""Whole models in reports: the figures of a line of kind `model` as texts, the same in a terminal and on a page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Line = Mapping[str, Any]


def cells(line: Line) -> list[str]:
    """Return verdict, accuracy, agreement with the reference and the float32 model, worst error, and what it costs."""
    meters = line["meters"]
    return [
        verdict(line),
        share(line["correct"], line["examples"]),
        share(line["same_class"], line["examples"]),
        share(line["float_class"], line["examples"]),
        worst(line),
        *(figure(value) for value in (meters.get("arena"), meters.get("stack"), line["flash"])),
        figure(meters.get("instructions")),
    ]


def verdict(line: Line) -> str:
    """Return what came of a model on a runtime in a word or two."""
    if line["verdict"] == "declined" and line["expected"] is not False:
        return "not supported"
    known = isinstance(line["expected"], str)
    return f"{line['verdict']} (known)" if known else str(line["verdict"])


def share(count: int | None, total: int) -> str:
    """Return a share as a count of examples, as few are run: "63/64"; empty where it is not known."""
    return "" if count is None or not total else f"{count}/{total}"


def worst(line: Line) -> str:
    """Return how far an output is from the reference's, at worst."""
    if line["worst"] is None:
        return ""
    if line["worst"] == 0:
        return "equal"
    found = line["worst"] if isinstance(line["worst"], str) else f"{line['worst']:.2g}"
    return f"{found} {line['unit']}"


def figure(value: int | None) -> str:
    """Return a figure with its thousands apart; empty where it was not measured."""
    return "" if value is None else f"{value:,}"
