"""Cells with gates, real and integer, against values worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from opconform.harness.model import Quant
from opconform.harness.numerics import FAMILIES
from opconform.runtimes.reference.kernels import _fixed16, lstm_int
from opconform.runtimes.reference.kernels._recurrent import Noise, exact, normalized
from opconform.runtimes.reference.kernels.lstm import lstm, sequence_lstm, sequence_lstm_errors

OPTIONS = {"cell_clip": 0.0, "proj_clip": 0.0, "activation": "TANH"}
ZERO, NOTHING = np.zeros((1, 1)), np.zeros(1)
EVERY_INT16 = np.arange(-32768, 32768)


def parameters(**given):
    """The inputs after x of a cell of one unit with all weights 0: parameters by name, states, norms."""
    names = [kind + gate for kind in "wr" for gate in "ifgo"]
    names += ["ci", "cf", "co", "bi", "bf", "bg", "bo", "p", "pb", "h", "c"]
    names += ["ni", "nf", "ng", "no"]
    found = {name: ZERO if name[0] in "wr" or name in "hc" else NOTHING if name[0] == "b" else None for name in names}
    return [{**found, **given}[name] for name in names]


def run(xs, **given):
    options = {**OPTIONS, **{name: given.pop(name) for name in list(given) if name in OPTIONS}}
    x = np.array(xs, dtype=float).reshape(1, -1, 1)
    y, _, c = sequence_lstm(x, *parameters(**given), time_major=False, **options)
    return y.ravel(), c.item()


def test_half_open_gates_keep_half_and_add_half():
    y, c = run([0, 0], bg=np.array([math.atanh(0.8)]))
    assert c == pytest.approx(0.5 * 0.4 + 0.4)
    assert y == pytest.approx([0.5 * math.tanh(0.4), 0.5 * math.tanh(0.6)])


def test_a_coupled_gate_adds_what_the_other_forgets():
    y, c = run([0], bg=np.array([math.atanh(0.8)]), bf=np.array([math.log(3)]), wi=None, ri=None, bi=None)
    assert c == pytest.approx(0.25 * 0.8)
    assert y == pytest.approx([0.5 * math.tanh(0.2)])


def test_the_output_gate_peeps_at_the_new_cell_and_the_others_at_the_old():
    hole = np.array([1.0])
    given = {"bg": np.array([math.atanh(0.8)]), "ci": hole, "cf": hole, "co": hole}
    y, c = run([0, 0], **given)
    first = 0.5 * 0.8
    gate = 1 / (1 + math.exp(-first))
    second = gate * first + gate * 0.8
    assert c == pytest.approx(second)
    assert y == pytest.approx([math.tanh(s) / (1 + math.exp(-s)) for s in (first, second)])


def test_a_projection_is_clipped_and_fed_back():
    p, pb, rg = np.array([[10.0], [0.0]]), np.array([0.0, 0.25]), np.array([[0.0, 4.0]])
    wide = {name: np.zeros((1, 2)) for name in ("ri", "rf", "ro", "h")}
    y, c = run([0, 0], bg=np.array([1.0]), p=p, pb=pb, rg=rg, proj_clip=0.5, **wide)
    assert y.tolist() == [0.5, 0.25, 0.5, 0.25]
    # the second output comes back with a weight of 4
    assert c == pytest.approx(0.25 * math.tanh(1) + 0.5 * math.tanh(2))


def test_a_cell_is_clipped():
    y, c = run([0, 0, 0], bg=np.array([9.0]), bf=np.array([9.0]), bi=np.array([9.0]), cell_clip=1.5)
    assert c == 1.5
    assert y[-1] == pytest.approx(0.5 * math.tanh(1.5))


def test_normalized_sums_have_mean_zero_and_deviation_one_before_scale_and_bias():
    z = normalized(exact(np.array([[1.0, 3.0]])), np.array([2.0, 5.0]), np.array([0.5, -1.0]), Noise())
    assert np.allclose(z.value, [[-2 + 0.5, 5 - 1]])


def test_the_basic_kernel_is_one_matrix_over_input_and_last_output():
    # rows i, g, f, o over (x, last): g sees x, o the last output
    w = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 0.0], [0.0, 1.0]])
    x, last, state = (np.array([[v]]) for v in (0.5, 2.0, 0.6))
    y, c, both, z = lstm(x, last, w, np.zeros(4), state, kernel_type="BASIC", **OPTIONS)
    assert both.tolist() == [[0.5, 2]]
    assert z.tolist() == [[0, 0.5, 0, 2]]
    assert c.item() == pytest.approx(0.5 * math.tanh(0.5) + 0.3)
    assert y.item() == pytest.approx(math.tanh(c.item()) / (1 + math.exp(-2)))


def test_the_analysis_holds_what_float32_does_and_little_more():
    rng = np.random.default_rng(5)
    shapes = [(4, 3)] * 4 + [(4, 4)] * 4
    weights = [rng.uniform(-1, 1, shape).astype(np.float32) for shape in shapes]
    biases = [rng.uniform(-1, 1, 4).astype(np.float32) for _ in range(4)]
    x = rng.uniform(-3, 3, (6, 2, 3)).astype(np.float32)
    wide = [*(w.astype(float) for w in weights), None, None, None, *(b.astype(float) for b in biases), None, None]
    states = [np.zeros((2, 4)), np.zeros((2, 4))]
    y, *_ = sequence_lstm(x.astype(float), *wide, *states, time_major=True, **OPTIONS)
    (error,), _ = sequence_lstm_errors(
        x.astype(float), *wide, None, None, carried=None, noise={"unit": 2.0**-24, "curve": 2.0**-23}, time_major=True,
        **OPTIONS,
    )  # fmt: skip
    assert np.all(np.abs(in_float32(x, weights, biases) - y) <= error)
    assert error.max() < 1e-4


def in_float32(x, weights, biases):
    h = c = np.zeros((x.shape[1], 4), np.float32)
    one, outputs = np.float32(1), []
    for step in x:
        z = [step @ weights[g].T + h @ weights[4 + g].T + biases[g] for g in range(4)]
        i, f, o = (one / (one + np.exp(-z[g])) for g in (0, 1, 3))
        c = f * c + i * np.tanh(z[2])
        h = o * np.tanh(c)
        outputs.append(h)
    return np.stack(outputs)


def test_sigmoid_and_tanh_of_16_bits_are_as_close_as_the_specs_say():
    for bits in range(7):
        real = EVERY_INT16 * 2.0 ** (bits - 15)
        assert np.abs(_fixed16.tanh(EVERY_INT16, bits) - 2**15 * np.tanh(real)).max() < 12.1
        table = lstm_int._table_curves(bits - 15).tanh_of_cell(EVERY_INT16)
        assert np.abs(table - 2**15 * np.tanh(real)).max() < 2.5
    real = 2**15 / (1 + np.exp(-EVERY_INT16 / 4096))
    assert np.abs(_fixed16.sigmoid(EVERY_INT16, 3) - real).max() < 12.1
    assert np.abs(lstm_int.table_sigmoid(EVERY_INT16 * 3) - real).max() < 2.5


def integer_step(plain=True, proj_clip=0.0, cell_clip=0.0, zero=0, projection=None):
    """One step with all weights 0: i = f = o = 1/2, and sums of the update gate of 1."""
    q = {name: Quant((0.01,), (0,)) for name in ["x", "p", *(k + g for k in "wr" for g in "ifgo")]}
    q |= {"h": Quant((1 / 128,), (zero,)), "c": Quant((2.0**-11,), (0,)), "m": Quant((1 / 64,), (3,))}
    zeros, none = np.zeros((1, 1), np.int64), None
    # the bias has the quantum x * w = 0.0001, sums 2**-12
    biases = [np.array([0]), np.array([0]), np.array([10000]), np.array([0])]
    if not plain:
        biases[0] = none
    first = none if not plain else zeros
    arguments = [zeros, first, zeros, zeros, zeros, first, zeros, zeros, zeros, none, none, none, *biases]
    arguments += [projection, none, np.full((1, 1), zero), zeros]
    y, _, c = lstm_int.sequence_lstm_int(
        np.zeros((1, 1, 1), np.int64), *arguments[1:], q=q, dtypes={"x": "int8"}, rescale=FAMILIES["double_rounding"],
        time_major=True, cell_clip=cell_clip, proj_clip=proj_clip, activation="TANH",
    )  # fmt: skip
    return y.item(), c.item()


@pytest.mark.parametrize("plain", [True, False])
def test_an_integer_step_follows_the_real_one(plain):
    # c = tanh(1) / 2 = 0.38080 = 779.9 * 2**-11, y = tanh(c) / 2 = 0.18171 = 23.26 / 128
    assert integer_step(plain) == (23, 780)
    assert integer_step(plain, zero=-20) == (3, 780)


def test_an_integer_cell_is_clipped_at_whole_quanta():
    # 0.3 = 614.4 * 2**-11 is cut to 614; tanh(0.3) / 2 = 0.14565 = 18.6 / 128
    assert integer_step(cell_clip=0.3) == (19, 614)


def test_an_integer_projection_is_clipped_around_its_zero_point():
    projection = np.array([[100]])
    # the hidden 0.18171 = 11.6 / 64; 12 * 100 quanta of 0.01 / 64 = 0.1875 = 24 / 128
    assert integer_step(False, projection=projection)[0] == 24
    assert integer_step(False, projection=projection, zero=-20)[0] == 4
    # 0.1 = 12.8 / 128 is cut to 12
    assert integer_step(False, projection=projection, zero=-20, proj_clip=0.1)[0] == -8


def test_an_integer_row_is_normalized():
    # mean 0, variance 10,000: plus and minus one times 1024 / 1024, in 12 fractional bits
    row = lstm_int._normalized_row(np.array([-100, 100]), np.array([1024, 1024]), np.array([0, 0]), 2.0**-10, 10)
    assert np.abs(row - [-4096, 4096]).max() <= 8


def test_the_8_bit_basic_cell_is_centred_at_128():
    q = {"w": Quant((0.01,), (7,)), "b": Quant((0.01 / 128,), (0,))}
    w = np.full((4, 2), 7)
    # the update's sum is 1; as above, with cells of 11 fractional bits
    bias = np.array([0, 12800, 0, 0])
    centre = np.array([[128]])
    y, c, both, z = lstm_int._basic([centre, centre, w, bias, np.array([[0]])], q)
    assert both.tolist() == [[128, 128]]
    assert z.tolist() == [[0, 4096, 0, 0]]
    assert abs(c.item() - 780) <= 1
    assert y.item() == 128 + 23
