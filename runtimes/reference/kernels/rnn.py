"""RNN, UNIDIRECTIONAL_SEQUENCE_RNN, BIDIRECTIONAL_SEQUENCE_RNN: a dense layer that sees its earlier output."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from opconform.harness.model import Array
from opconform.runtimes.reference.kernels import _recurrent as cells
from opconform.runtimes.reference.kernels._recurrent import SILENT, Ball, Gate, Noise, exact, sequence, steps
from opconform.runtimes.reference.registry import analysis, kernel

Balls = tuple[Ball, ...]
#: What an analysis returns: errors of the outputs, and the state to go on with.
Errors = tuple[tuple[Array, ...], Balls]


def fresh(batch: int, *widths: int) -> Balls:
    """Return states of zeros [batch, width]."""
    return tuple(exact(np.zeros((batch, width))) for width in widths)


def _run(
    x: Array, w: Array, r: Array, bias: Array, h: Ball, activation: str, time_major: bool, noise: Noise
) -> tuple[Ball, Ball]:
    """Run a sequence x; its outputs joined, and the last."""
    outputs, h = cells.rnn(Gate(w, r, bias), steps(x, time_major), None, h, activation, noise)
    return sequence(outputs, time_major), h


@kernel("RNN")
def rnn(x: Array, w: Array, r: Array, bias: Array, h: Array, *, activation: str, **_: Any) -> tuple[Array, Array]:
    """One step h = act(x W' + h R' + b): x [B, D], W [N, D], R [N, N], h [B, N]; returns h twice, as state too."""
    y, last = _run(x[None], w, r, bias, exact(h), activation, True, SILENT)
    return y.value[0], last.value


@analysis(rnn)
def rnn_errors(
    x: Array, w: Array, r: Array, bias: Array, _h: None, *, carried: Balls | None, noise: Mapping[str, Any],
    activation: str, **_: Any,
) -> Errors:  # fmt: skip
    """Follow errors through one step."""
    (h,) = carried or fresh(len(x), len(w))
    y, last = _run(x[None], w, r, bias, h, activation, True, Noise(**noise))
    return (y.error[0],), (last,)


@kernel("UNIDIRECTIONAL_SEQUENCE_RNN")
def sequence_rnn(
    x: Array, w: Array, r: Array, bias: Array, h: Array, *, activation: str, time_major: bool, **_: Any
) -> tuple[Array, Array]:
    """Run RNN over time: x [T, B, D] (time_major) or [B, T, D]; returns all outputs and the last."""
    y, last = _run(x, w, r, bias, exact(h), activation, time_major, SILENT)
    return y.value, last.value


@analysis(sequence_rnn)
def sequence_rnn_errors(
    x: Array, w: Array, r: Array, bias: Array, _h: None, *, carried: Balls | None, noise: Mapping[str, Any],
    activation: str, time_major: bool, **_: Any,
) -> Errors:  # fmt: skip
    """Follow errors over time."""
    (h,) = carried or fresh(x.shape[1 if time_major else 0], len(w))
    y, last = _run(x, w, r, bias, h, activation, time_major, Noise(**noise))
    return (y.error,), (last,)


def _both(arguments: tuple[Any, ...], states: Balls, noise: Noise, options: Mapping[str, Any]) -> tuple[Balls, Balls]:
    """Run the forward cell from first to last and the backward cell from last to first; both ends of the outputs.

    With weights for it, the auxiliary input is a second input of both cells; without, it is the backward cell's input
    in place of x.
    """
    x, fw, fr, fb, _, bw, br, bb, _, aux, fa, ba = (*arguments, None, None, None)[:12]
    time_major, activation = options["time_major"], options["activation"]
    forward = steps(x, time_major)
    extra = None if aux is None else steps(aux, time_major)
    backward = forward if extra is None or ba is not None else extra
    shared = extra if ba is not None else None
    turned = shared[::-1] if shared is not None else None
    f_gate, b_gate = Gate(fw, fr, fb, auxiliary=fa), Gate(bw, br, bb, auxiliary=ba)
    ahead, h = cells.rnn(f_gate, forward, shared, states[0], activation, noise)
    behind, g = cells.rnn(b_gate, backward[::-1], turned, states[1], activation, noise)
    outputs = joined(ahead, behind[::-1], time_major, options["merge_outputs"])
    return outputs, (h, g)


def joined(ahead: list[Ball], behind: list[Ball], time_major: bool, merge: bool) -> Balls:
    """Return the outputs of both directions, in one tensor side by side where they are to be merged."""
    pair = (sequence(ahead, time_major), sequence(behind, time_major))
    if not merge:
        return pair
    values, errors = [p.value for p in pair], [p.error for p in pair]
    return (Ball(np.concatenate(values, axis=2), np.concatenate(errors, axis=2)),)


@kernel("BIDIRECTIONAL_SEQUENCE_RNN")
def bidirectional_rnn(*arguments: Array | None, **options: Any) -> tuple[Array, ...]:
    """Two RNNs over x, one per direction of time: x, (W, R, b, h) forward, the same backward, aux, its two weights."""
    states = (exact(np.asarray(arguments[4])), exact(np.asarray(arguments[8])))
    outputs, last = _both(arguments, states, SILENT, options)
    return tuple(b.value for b in (*outputs, *last))


@analysis(bidirectional_rnn)
def bidirectional_rnn_errors(
    *arguments: Any, carried: Balls | None, noise: Mapping[str, Any], **options: Any
) -> Errors:
    """Follow errors over time, in both directions."""
    x, forward, backward = arguments[0], arguments[1], arguments[5]
    batch = x.shape[1 if options["time_major"] else 0]
    states = carried or fresh(batch, len(forward), len(backward))
    outputs, last = _both(arguments, states, Noise(**noise), options)
    return tuple(b.error for b in outputs), last
