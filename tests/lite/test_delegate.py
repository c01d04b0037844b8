"""Delegates: which parts they get, and that what they compute is put back in order."""

from collections.abc import Sequence

import numpy as np

from opconform.harness.flatmodel import Graph, Node, TensorDef, write_model
from opconform.runtimes.lite import Lite
from opconform.runtimes.lite.delegate import Edges, partition


def chain(*takes: bool) -> list[tuple[int, ...]]:
    return partition([((i,), (i + 1,)) for i in range(len(takes))], takes)


def test_neighbours_are_one_part_and_the_rest_stays_alone() -> None:
    assert chain(True, True, False, True) == [(0, 1), (2,), (3,)]
    assert chain(False, False) == [(0,), (1,)]


def test_a_part_never_waits_for_itself() -> None:
    # 0 is taken; 1 is not and reads 0; 2 is taken and reads both: joined with 0 it would wait for 1, which waits for 0
    nodes: Sequence[Edges] = [((0,), (1,)), ((1,), (2,)), ((1, 2), (3,))]
    assert partition(nodes, [True, False, True]) == [(0,), (1,), (2,)]


def test_a_side_branch_does_not_split_a_part() -> None:
    # 0 -> 1 (not taken, a dead end); 0 -> 2
    nodes: Sequence[Edges] = [((0,), (1,)), ((1,), (2,)), ((1,), (3,))]
    assert partition(nodes, [True, False, True]) == [(0, 2), (1,)]


def test_ordered_nodes_keep_their_order() -> None:
    nodes: Sequence[Edges] = [((0,), (1,)), ((9,), (2,)), ((8,), (3,)), ((1, 2), (4,))]
    units = partition(nodes, [True, False, False, True], [False, True, True, False])
    order = [node for unit in units for node in unit]
    assert order.index(1) < order.index(2)
    assert order.index(1) < order.index(3)


def test_blas_runs_a_chain_of_layers_as_one_step_with_the_same_results() -> None:
    draw = np.random.default_rng(3)
    first, second = (draw.normal(size=shape).astype(np.float32) for shape in ((8, 3, 3, 2), (5, 200)))
    biases = draw.normal(size=8).astype(np.float32), draw.normal(size=5).astype(np.float32)
    tensors = (
        TensorDef("x", "float32", (1, 10, 9, 2)),
        TensorDef("w1", "float32", first.shape, first),
        TensorDef("b1", "float32", (8,), biases[0]),
        TensorDef("c", "float32", (1, 5, 5, 8)),
        TensorDef("w2", "float32", second.shape, second),
        TensorDef("b2", "float32", (5,), biases[1]),
        TensorDef("d", "float32", (1, 5)),
        TensorDef("y", "float32", (1, 5)),
    )
    conv = Node("CONV_2D", (0, 1, 2), (3,), {"padding": "SAME", "stride_h": 2, "stride_w": 2, "activation": "RELU"})
    nodes = (conv, Node("FULLY_CONNECTED", (3, 4, 5), (6,)), Node("TANH", (6,), (7,)))
    model = write_model([Graph(tensors, nodes, (0,), (7,))])
    x = draw.normal(size=(1, 10, 9, 2)).astype(np.float32)
    plain, blas = Lite().open(model), Lite("blas").open(model)
    assert plain.partition() == [["CONV_2D"], ["FULLY_CONNECTED"], ["TANH"]]
    assert blas.partition() == [["CONV_2D", "FULLY_CONNECTED"], ["TANH"]]
    assert (blas.meters()["delegated"], blas.meters()["parts"]) == (2, 1)
    assert np.allclose(blas.run([x])[0], plain.run([x])[0], rtol=0, atol=1e-5)
