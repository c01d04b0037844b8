"""Complex numbers and the Fourier transform."""

from __future__ import annotations

from typing import Any

import numpy as np

from opconform.harness.model import Array
from opconform.runtimes.reference.registry import kernel


@kernel("REAL")
def real(x: Array, **_: Any) -> Array:
    """Return the real parts."""
    return np.asarray(x.real)


@kernel("IMAG")
def imaginary(x: Array, **_: Any) -> Array:
    """Return the imaginary parts."""
    return np.asarray(x.imag)


@kernel("COMPLEX_ABS")
def magnitude(x: Array, **_: Any) -> Array:
    """Return sqrt(re**2 + im**2), without overflow on the way."""
    return np.asarray(np.hypot(x.real, x.imag))


@kernel("RFFT2D")
def rfft2d(x: Array, length: Array, **_: Any) -> Array:
    """Return the Fourier transform of real matrices [..., h, w] cropped or padded with zeros to `length` [2].

    The result [..., h, w // 2 + 1] holds sum(x[m, n] * exp(-2 pi i (j m / h + k n / w))) for half of the
    frequencies k; the other half are their conjugates.
    """
    height, width = (int(n) for n in length)
    return np.asarray(np.fft.rfft2(x, s=(height, width), axes=(-2, -1)))
