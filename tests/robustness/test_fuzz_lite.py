"""Mutated models through lite's verifier and kernels: an answer or one line, never another exception.

A hundred thousand of them: `OPCONFORM_MUTANTS=100000 pytest tests/robustness/test_fuzz_lite.py` (minutes).
"""

from __future__ import annotations

import os
import random
import struct
from collections import Counter

import pytest

from opconform.harness.encode import encode_case
from opconform.harness.generate.engine import TIERS, cases
from opconform.harness.model import Case
from opconform.harness.runner import load_oracle
from opconform.harness.runtime import RuntimeFailure
from opconform.harness.spec_load import load_all
from opconform.runtimes.lite import Lite

COUNT = int(os.environ.get("OPCONFORM_MUTANTS", "1500"))
ROWS = (
    ("RESHAPE", "int8"),
    ("STRIDED_SLICE", "int8"),
    ("CONV_2D", "int8"),
    ("GATHER", "float32"),
    ("SLICE", "string"),
    ("SPACE_TO_BATCH_ND", "int8"),
    ("SPLIT_V", "int8"),
    ("WHILE", "float32"),
)
WORDS = (0, 1, 4, 0x7F, 0xFFFF, 0x10000, 0x40000000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


def seeds() -> list[tuple[Case, bytes]]:
    """Return the first small legal model of each row, or of its op's first row."""
    specs, kernels, found = load_all(), load_oracle().kernels, []
    for op, row in ROWS:
        spec = specs[op]
        chosen = row if row in spec.rows else next(iter(spec.rows))
        legal = (b.case for b in cases(spec, chosen, kernels[op], TIERS["smoke"], 0) if not b.case.violates)
        case = next(legal)
        found.append((case, encode_case(spec, case)))
    return found


def mutated(model: bytes, draw: random.Random) -> bytes:
    """Return a model with one to three changes: a bit, a byte, a word, a small step of a word, a cut, a copied run."""
    data = bytearray(model)
    for _ in range(draw.choice((1, 1, 1, 2, 3))):
        at = draw.randrange(len(data) - 3)
        match draw.randrange(6):
            case 0:
                data[at] ^= 1 << draw.randrange(8)
            case 1:
                data[at] = draw.randrange(256)
            case 2:
                struct.pack_into("<I", data, at & ~3, draw.choice((*WORDS, len(data), draw.getrandbits(32))))
            case 3:
                word = struct.unpack_from("<I", data, at & ~3)[0] + draw.choice((-8, -4, -1, 1, 4, 8))
                struct.pack_into("<I", data, at & ~3, word & 0xFFFFFFFF)
            case 4 if draw.random() < 0.1:
                del data[max(at, 4) :]
            case 5:
                source = draw.randrange(len(data) - 3)
                data[at : at + 4] = data[source : source + 4]
        if len(data) < 8:
            break
    return bytes(data)


def ending(model: bytes, case: Case) -> str:
    """Return how a model ends: ran, or the name of the refusal."""
    try:
        Lite().open(model).run(case.vectors[0])
    except RuntimeFailure as error:
        return "more than one line" if "\n" in str(error) else type(error).__name__
    return "ran"


@pytest.mark.filterwarnings("ignore")
def test_mutated_models_are_refused_in_one_line_or_run() -> None:
    draw, known, ends = random.Random(7), seeds(), Counter[str]()
    for _ in range(COUNT):
        case, model = draw.choice(known)
        ends[ending(mutated(model, draw), case)] += 1
    assert "more than one line" not in ends
    assert ends["ran"] > COUNT // 20, ends  # some mutants run: the verifier is not all that is tested
    assert ends["InvalidModel"] > COUNT // 10, ends
