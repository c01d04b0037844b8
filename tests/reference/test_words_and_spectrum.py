"""Words, fingerprints, complex numbers and the Fourier transform, by values worked out by hand."""

from __future__ import annotations

import cmath

import numpy as np
import pytest

from opconform.harness.model import DTYPES
from opconform.runtimes.reference.kernels.spectrum import imaginary, magnitude, real, rfft2d
from opconform.runtimes.reference.kernels.words import fingerprint64, lsh_projection, skip_gram


def grams(sentence: bytes, size: int, skip: int, every: bool) -> list[bytes]:
    words = np.array([sentence], DTYPES["string"][0])
    return list(skip_gram(words, ngram_size=size, max_skip_size=skip, include_all_ngrams=every).tolist())


def test_bigrams_without_skips_are_neighbours() -> None:
    assert grams(b"a b c", 2, 0, False) == [b"a b", b"b c"]


def test_one_word_may_be_left_out() -> None:
    assert grams(b"a b c d", 2, 1, False) == [b"a b", b"a c", b"b c", b"b d", b"c d"]


def test_shorter_ones_follow_those_that_begin_alike() -> None:
    assert grams(b"a b c", 2, 0, True) == [b"a b", b"a", b"b c", b"b", b"c"]


def test_a_sentence_of_too_few_words_has_none() -> None:
    assert grams(b"a b", 3, 2, True) == []
    assert grams(b"", 1, 0, True) == []


# Of no bytes the fingerprint is the constant itself. One zero byte: y = 0, z = 1: (k0 ^ k0 >> 47) * k2, modulo 2**64.
@pytest.mark.parametrize(
    ("data", "wanted"),
    [
        (b"", 0x9AE16A3B2F90404F),
        (b"\0", (0xC3A5C85C97CB3127 ^ 0xC3A5C85C97CB3127 >> 47) * 0x9AE16A3B2F90404F % 2**64),
    ],
)
def test_fingerprints_of_next_to_nothing(data: bytes, wanted: int) -> None:
    assert fingerprint64(data) == wanted


def test_every_byte_of_what_is_hashed_counts() -> None:
    for size in (3, 7, 8, 16, 17, 32, 33, 64):
        data = bytes(range(size))
        others = {fingerprint64(data[:i] + bytes([data[i] ^ 1]) + data[i + 1 :]) for i in range(size)}
        assert len(others | {fingerprint64(data)}) == size + 1


def test_a_sparse_hash_is_the_dense_one_as_numbers_one_range_per_function() -> None:
    seeds, x = np.array([[0.5, -1.5, 2.0], [1.0, 3.0, -0.25]]), np.array([[3, -7], [100, 5]])
    weight = np.array([0.5, -2.0])
    bits = lsh_projection(seeds, x, weight, type="DENSE").reshape(2, 3)
    assert set(bits.reshape(-1).tolist()) <= {0, 1}
    assert lsh_projection(seeds, x, weight, type="SPARSE").tolist() == [bits[0] @ [4, 2, 1], 8 + bits[1] @ [4, 2, 1]]


def test_the_sign_of_the_weights_turns_every_bit() -> None:
    seeds, x = np.array([[0.5, -1.5, 2.0, 7.0]]), np.array([3, -7, 12])
    bits = [lsh_projection(seeds, x, sign * np.ones(3), type="DENSE") for sign in (1, -1)]
    assert (bits[0] + bits[1] == 1).all()


def test_parts_and_magnitude() -> None:
    x = np.array([3 - 4j, -1e300 + 0j])
    assert real(x).tolist() == [3.0, -1e300]
    assert imaginary(x).tolist() == [-4.0, 0.0]
    assert magnitude(x).tolist() == [5.0, 1e300]


def test_a_transform_is_its_sum_written_out() -> None:
    x = np.array([[1.0, -2.0, 3.0, 0.5], [4.0, 0.0, -1.0, 2.0]])
    found = rfft2d(x, np.array([2, 4]))
    assert found.shape == (2, 3)
    for j in range(2):
        for k in range(3):
            terms = (x[m, n] * cmath.exp(-2j * cmath.pi * (j * m / 2 + k * n / 4)) for m in range(2) for n in range(4))
            assert abs(found[j, k] - sum(terms)) < 1e-12


def test_a_transform_cuts_and_fills_up() -> None:
    x = np.arange(15.0).reshape(3, 5)
    assert np.allclose(rfft2d(x, np.array([2, 4])), rfft2d(x[:2, :4], np.array([2, 4])))
    padded = np.pad(x, ((0, 1), (0, 3)))
    assert np.allclose(rfft2d(x, np.array([4, 8])), rfft2d(padded, np.array([4, 8])))
