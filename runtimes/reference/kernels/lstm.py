"""UNIDIRECTIONAL_SEQUENCE_LSTM, BIDIRECTIONAL_SEQUENCE_LSTM and LSTM: cells with gates, and two states."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from opconform.harness.model import Array
from opconform.runtimes.reference.kernels import _recurrent as cells
from opconform.runtimes.reference.kernels._recurrent import SILENT, Ball, Cell, Gate, Noise, exact, sequence, steps
from opconform.runtimes.reference.kernels.rnn import Balls, Errors, fresh, joined
from opconform.runtimes.reference.registry import analysis, kernel

#: Where a cell's parameters stand: input weights of i, f, g, o; recurrent ones; peepholes; biases; projection.
Parameters = Sequence[Any]
_NONE4 = (None,) * 4


def cell_of(p: Parameters, norms: Parameters, auxiliary: Parameters, options: Mapping[str, Any]) -> Cell:
    """Return a cell from 17 parameters: W x 4, R x 4, peepholes x 3 (i, f, o), biases x 4, projection and its bias."""
    peepholes = (p[8], p[9], None, p[10])
    gates = [
        None if p[g] is None else Gate(p[g], p[4 + g], p[11 + g], peepholes[g], norms[g], auxiliary[g])
        for g in range(4)
    ]
    _, forget, update, outgate = gates
    assert forget is not None
    assert update is not None
    assert outgate is not None
    clips = (float(options["cell_clip"]), float(options["proj_clip"]))
    return Cell(gates[0], forget, update, outgate, p[15], p[16], *clips, str(options["activation"]))


def _widths(p: Cell) -> tuple[int, int]:
    """Return the widths of output and cell."""
    return p.forget.recurrent.shape[1], len(p.forget.inputs)


def _full(arguments: Sequence[Any], options: Mapping[str, Any]) -> Cell:
    norms = arguments[20:24] if len(arguments) == 24 else _NONE4
    return cell_of(arguments[1:18], norms, _NONE4, options)


@kernel("UNIDIRECTIONAL_SEQUENCE_LSTM")
def sequence_lstm(*arguments: Any, time_major: bool, **options: Any) -> tuple[Array, Array, Array]:
    """Run a cell over time: x [T, B, D] or [B, T, D], 17 parameters, states h [B, P] and c [B, N], four norms.

    Returns all outputs, the last one and the last cell.
    """
    states = (exact(arguments[18]), exact(arguments[19]))
    outputs, h, c = cells.lstm(_full(arguments, options), steps(arguments[0], time_major), None, *states, SILENT)
    return sequence(outputs, time_major).value, h.value, c.value


@analysis(sequence_lstm)
def sequence_lstm_errors(
    *arguments: Any, carried: Balls | None, noise: Mapping[str, Any], time_major: bool, **options: Any
) -> Errors:
    """Follow errors over time."""
    p, xs = _full(arguments, options), steps(arguments[0], time_major)
    h, c = carried or fresh(len(xs[0]), *_widths(p))
    outputs, h, c = cells.lstm(p, xs, None, h, c, Noise(**noise))
    return (sequence(outputs, time_major).error,), (h, c)


@kernel("LSTM")
def lstm(*arguments: Any, kernel_type: str, **options: Any) -> tuple[Array, ...]:
    """One step: FULL as UNIDIRECTIONAL_SEQUENCE_LSTM with x [B, D]; BASIC as `_basic`, whose states are fed."""
    if kernel_type == "BASIC":
        return tuple(b.value for b in _basic(arguments, SILENT))
    y, h, c = sequence_lstm(arguments[0][None], *arguments[1:], time_major=True, **options)
    return y[0], h, c


@analysis(lstm)
def lstm_errors(
    *arguments: Any, carried: Balls | None, noise: Mapping[str, Any], kernel_type: str, **options: Any
) -> Errors:
    """Follow errors through one step."""
    if kernel_type == "BASIC":
        return tuple(b.error for b in _basic(arguments, Noise(**noise))), ()
    x, *rest = arguments
    errors, last = sequence_lstm_errors(x[None], *rest, carried=carried, noise=noise, time_major=True, **options)
    return (errors[0][0],), last


def _basic(arguments: Sequence[Array], noise: Noise) -> Balls:
    """Run a cell whose parameters are one matrix [4 N, D + N] over x and the last output side by side: i, g, f, o.

    Returns output [B, N], cell [B, N], the joined input and the sums before activation [B, 4 N].
    """
    x, last, w, bias, state = arguments
    both = exact(np.concatenate([x, last], axis=1))
    z = cells.pre_activation(
        Gate(w, np.zeros((len(w), 0)), bias), both, None, exact(np.zeros((len(x), 0))), None, noise
    )
    units = state.shape[1]
    i, g, f, o = (Ball(z.value[:, at : at + units], z.error[:, at : at + units]) for at in range(0, 4 * units, units))
    kept = cells.product(cells.sigmoid(f, noise), exact(state), noise)
    added = cells.product(cells.sigmoid(i, noise), cells.curve(g, "TANH", noise), noise)
    c = cells.total(added, kept, noise)
    c = Ball(c.value, c.error + noise.product)
    seen = cells.saturated(c, -noise.cell_limit, noise.cell_limit)
    y = cells.product(cells.sigmoid(o, noise), cells.curve(seen, "TANH", noise), noise)
    return Ball(y.value, y.error + noise.output), c, both, z


def _pair(arguments: Sequence[Any], options: Mapping[str, Any]) -> tuple[Cell, Cell]:
    """Return forward and backward cell of the 48 inputs: x, 17 parameters twice, four states, aux, 4 weights twice."""
    ahead = cell_of(arguments[1:18], _NONE4, arguments[40:44], options)
    return ahead, cell_of(arguments[18:35], _NONE4, arguments[44:48], options)


def _both(arguments: Sequence[Any], states: Balls, noise: Noise, options: Mapping[str, Any]) -> tuple[Balls, Balls]:
    """Run the forward cell from first to last and the backward cell from last to first.

    With weights for it, the auxiliary input is a second input of both cells; without, it is the backward cell's input
    in place of x.
    """
    ahead, behind = _pair(arguments, options)
    time_major, aux = options["time_major"], arguments[39]
    forward = steps(arguments[0], time_major)
    extra = None if aux is None else steps(aux, time_major)
    shared = extra if behind.forget.auxiliary is not None else None
    backward = forward if extra is None or shared is not None else extra
    turned = shared[::-1] if shared is not None else None
    ys, *left = cells.lstm(ahead, forward, shared, states[0], states[1], noise)
    zs, *right = cells.lstm(behind, backward[::-1], turned, states[2], states[3], noise)
    return joined(ys, zs[::-1], time_major, options["merge_outputs"]), (*left, *right)


@kernel("BIDIRECTIONAL_SEQUENCE_LSTM")
def bidirectional_lstm(*arguments: Any, **options: Any) -> tuple[Array, ...]:
    """Two cells over x, one per direction of time; see `_pair` for the inputs. Returns outputs and four states."""
    states = tuple(exact(state) for state in arguments[35:39])
    outputs, last = _both(arguments, states, SILENT, options)
    return tuple(b.value for b in (*outputs, *last))


@analysis(bidirectional_lstm)
def bidirectional_lstm_errors(
    *arguments: Any, carried: Balls | None, noise: Mapping[str, Any], **options: Any
) -> Errors:
    """Follow errors over time, in both directions."""
    ahead, behind = _pair(arguments, options)
    batch = arguments[0].shape[1 if options["time_major"] else 0]
    states = carried or fresh(batch, *_widths(ahead), *_widths(behind))
    outputs, last = _both(arguments, states, Noise(**noise), options)
    return tuple(b.error for b in outputs), last
