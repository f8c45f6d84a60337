"""The embedded digits, splits without leaks, standardisation by the training part alone."""

from __future__ import annotations

from hashlib import sha256

import numpy as np
import pytest

from isoref.data import Split, load_digits, split, standardise


def test_digits_are_the_published_ones() -> None:
    images, labels = load_digits()
    assert images.shape == (1797, 64)
    assert set(np.unique(images)) == set(range(17))
    assert np.bincount(labels).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    digest = sha256(images.astype(np.uint8).tobytes() + labels.astype(np.uint8).tobytes())
    assert digest.hexdigest() == "87ff0c9e40dc7e2c0e34e7257799c2e3f3aec1a016363bb11cad869ec428a826"


def test_a_split_is_a_partition_and_repeats() -> None:
    x, labels = np.arange(50.0)[:, None], np.arange(50)
    parts, again = (split(x, labels, held_out=0.3, seed=7) for _ in range(2))
    assert sorted([*parts.labels, *parts.held_labels]) == list(range(50))
    assert np.array_equal(parts.x[:, 0], parts.labels)
    assert all(np.array_equal(a, b) for a, b in zip(parts, again, strict=True))


def test_standardised_pixels_have_mean_0_and_deviation_1_and_constant_ones_vanish() -> None:
    parts = split(*load_digits(), seed=0)
    done = standardise(parts)
    constant = np.ptp(parts.x, axis=0) == 0
    assert constant.any()
    assert not done.x[:, constant].any()
    assert not done.held_x[:, constant].any()
    # Sums of n standardised values round by (½√n + 1) u Σ|terms| per value, at six deviations.
    n = len(done.x)
    limit = 6 * (0.5 * np.sqrt(n) + 1) * 2.0**-53 * 2
    assert np.abs(done.x.mean(axis=0)).max() <= limit
    assert np.abs(done.x[:, ~constant].std(axis=0) - 1).max() <= limit


def test_held_out_samples_do_not_enter_the_mean() -> None:
    parts = split(*load_digits(), seed=0)
    changed = Split(parts.x, parts.labels, parts.held_x * 100, parts.held_labels)
    assert np.array_equal(standardise(parts).x, standardise(changed).x)


@pytest.mark.parametrize("held_out", [0.0, 1.0, -0.5, 1e-9])
def test_an_empty_part_is_refused(held_out: float) -> None:
    with pytest.raises(ValueError, match="held_out must leave samples in both parts"):
        split(np.zeros((4, 1)), np.zeros(4, int), held_out=held_out, seed=0)


def test_labels_of_another_length_are_refused() -> None:
    with pytest.raises(ValueError, match="one entry per sample, 4, got 3"):
        split(np.zeros((4, 1)), np.zeros(3, int), seed=0)
