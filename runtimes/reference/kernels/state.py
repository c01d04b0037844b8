"""Ops that remember earlier invocations: SVDF, real and integer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from opconform.harness.model import Array, Quant
from opconform.harness.numerics import Rescale, integer_range
from opconform.runtimes.reference.kernels._common import activate, centred, finish
from opconform.runtimes.reference.registry import kernel, twin


def _shifted(state: Array, features: Array, memory: int) -> Array:
    """Forget the oldest column of every filter's memory and append features [B, F]; returns [B, F, M]."""
    kept = np.reshape(state, (*features.shape, memory))[:, :, 1:]
    return np.concatenate([kept, features[:, :, None]], axis=2)


def _summed(memories: Array, w_time: Array, rank: int) -> Array:
    """Weigh every memory by time and add up the `rank` filters of each unit: [B, F / rank]."""
    weighed = (memories * w_time[None]).sum(axis=2)
    return np.asarray(weighed.reshape(weighed.shape[0], -1, rank).sum(axis=2))


@kernel("SVDF")
def svdf(
    x: Array, w_feature: Array, w_time: Array, bias: Array | None, state: Array, *, rank: int, activation: str, **_: Any
) -> tuple[Array, Array]:
    """Filter features x [B, D], then time: state [B, F * M] holds the last M feature outputs of F filters."""
    memories = _shifted(state, x @ w_feature.T, w_time.shape[1])
    y = _summed(memories, w_time, rank)
    return activate(y if bias is None else y + bias, activation), memories.reshape(state.shape)


@twin("SVDF")
def svdf_int(
    x: Array,
    w_feature: Array,
    w_time: Array,
    bias: Array | None,
    state: Array,
    *,
    q: Mapping[str, Quant],
    dtypes: Mapping[str, str],
    rescale: Rescale,
    rank: int,
    activation: str,
    **_: Any,
) -> tuple[Array, Array]:
    """Rescale twice: the features into the state, the weighed sums into the output."""
    scale = {slot: quant.scale[0] for slot, quant in q.items()}
    features = rescale(centred(x, q["x"]) @ w_feature.T, scale["x"] * scale["w_feature"] / scale["state"])
    memories = _shifted(state, np.clip(features, *integer_range(dtypes["state"])), w_time.shape[1])
    acc = _summed(memories, w_time, rank) + (0 if bias is None else bias)
    scaled = rescale(acc, scale["state"] * scale["w_time"] / scale["y"])
    return finish(scaled, activation, q["y"], dtypes["y"]), memories.reshape(state.shape)
