"""The engine: its JavaScript, TensorFlow.js from npm, and the .tflite format as data."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from opconform.harness import schema
from opconform.harness.model import CODE_TO_DTYPE
from opconform.targets.javascript.packages import Packages, package_folder
from opconform.targets.javascript.workers import Engine

GET = "run: tox -e tfjs (it needs Node 18 or later and npm)"
_TABLES = ("MODEL", "OPERATOR_CODE", "SUBGRAPH", "TENSOR", "QUANTIZATION", "OPERATOR", "BUFFER")


def engine() -> Engine:
    """Return the engine of tfjs that runs models."""
    return _engine("engine.mjs")


def trainer_engine() -> Engine:
    """Return the engine of tfjs that trains."""
    return _engine("trainer.mjs")


def _engine(module: str) -> Engine:
    sources = package_folder("runtimes", "tfjs", "js")
    return Engine(sources / module, Packages("tfjs", sources, {"schema.json": _schema_text()}, GET))


def _schema_text() -> str:
    """Return the .tflite format as JSON for js/model.mjs."""
    found: dict[str, Any] = {
        "slots": {name: getattr(schema, name) for name in _TABLES},
        "ops": {str(code): {"name": op, "options": table} for op, (code, table) in schema.OPS.items()},
        "options": {name: asdict(options) for name, options in schema.OPTIONS.items()},
        "enums": {name: list(values) for name, values in schema.ENUMS.items()},
        "dtypes": {str(code): name for code, name in CODE_TO_DTYPE.items()},
    }
    return json.dumps(found, sort_keys=True)
