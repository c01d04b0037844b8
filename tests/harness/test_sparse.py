"""Sparse constants: levels by hand, there and back."""

from __future__ import annotations

import numpy as np
import pytest

from opconform.harness.flatmodel import Graph, Node, TensorDef, write_model
from opconform.harness.model import Array, Sparsity
from opconform.harness.runtime import InvalidModel
from opconform.harness.sparse import Level, compress
from opconform.runtimes.lite import Lite
from opconform.runtimes.lite.densify import Level as Stored
from opconform.runtimes.lite.densify import densify

DENSE = np.array([[0, 0, 3, 0], [0, 0, 0, 0], [5, 0, 0, 7]], np.float32)
ROWS = Sparsity((0, 1), (False, True))


def test_compressed_rows_are_segments_and_columns() -> None:
    levels, kept = compress(DENSE, ROWS)
    assert levels == (Level(3), Level(4, (0, 1, 1, 3), (2, 0, 3)))
    assert kept.tolist() == [3, 5, 7]


def test_compressed_columns_walk_the_other_way() -> None:
    levels, kept = compress(DENSE, Sparsity((1, 0), (True, True)))
    assert levels == (Level(4, (0, 3), (0, 2, 3)), Level(3, (0, 1, 2, 3), (2, 0, 2)))
    assert kept.tolist() == [5, 3, 7]


def test_a_block_is_kept_whole() -> None:
    levels, kept = compress(DENSE, Sparsity((0, 1, 2), (False, True, False), ((1, 2),)))
    assert levels == (Level(3), Level(2, (0, 1, 1, 3), (1, 0, 1)), Level(2))
    assert kept.tolist() == [3, 0, 5, 0, 0, 7]


@pytest.mark.parametrize(
    "sparsity",
    [
        ROWS,
        Sparsity((1, 0), (True, True)),
        Sparsity((0, 1, 2), (True, True, False), ((0, 3),)),
        Sparsity((2, 1, 0), (False, True, True), ((1, 2),)),
        Sparsity((1, 0, 3, 2), (True, False, False, True), ((1, 4), (0, 3))),
    ],
)
def test_lite_reads_what_is_written(sparsity: Sparsity) -> None:
    tensors = (TensorDef("x", "float32", (3, 4), DENSE, sparsity=sparsity), TensorDef("y", "float32", (3, 4)))
    model = write_model([Graph(tensors, (Node("DENSIFY", (0,), (1,)),), (), (1,))])
    assert np.array_equal(np.asarray(Lite().open(model).run([])[0]), DENSE)


def test_a_block_that_does_not_divide_is_refused() -> None:
    with pytest.raises(ValueError, match="blocks of 3 along axis 1 of 4"):
        compress(DENSE, Sparsity((0, 1, 2), (False, True, False), ((1, 3),)))


GOOD = [Stored(3, None, ()), Stored(4, (0, 1, 1, 3), (2, 0, 3))]


@pytest.mark.parametrize(
    ("order", "blocks", "levels", "words"),
    [
        ((0, 0), (), GOOD, "do not fit rank 2"),
        ((0, 1), (), GOOD[:1], "do not fit rank 2"),
        ((0, 1, 2), (2,), [*GOOD, Stored(1, None, ())], "do not fit rank 2"),
        ((0, 1), (), [Stored(4, None, ()), GOOD[1]], "4 blocks of 1 along axis 0 of 3"),
        ((0, 1), (), [GOOD[0], Stored(4, (0, 1, 1), (2,))], "out of range"),
        ((0, 1), (), [GOOD[0], Stored(4, (0, 2, 1, 3), (2, 0, 3))], "out of range"),
        ((0, 1), (), [GOOD[0], Stored(4, (0, 1, 1, 3), (2, 0, 4))], "out of range"),
        ((0, 1), (), [GOOD[0], Stored(4, (0, 1, 1, 4), (2, 0, 3, 1))], "4 values need 16 bytes"),
    ],
)
def test_levels_that_do_not_fit_are_refused(
    order: tuple[int, ...], blocks: tuple[int, ...], levels: list[Stored], words: str
) -> None:
    raw: Array = np.array([3, 5, 7], np.float32).view(np.uint8)
    with pytest.raises(InvalidModel, match=words):
        densify("x", raw, np.dtype(np.float32), (3, 4), order, blocks, levels)
