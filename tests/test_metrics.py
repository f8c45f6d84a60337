"""Metrics against their definitions, and the laws in their docstrings."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isoref import Network, haar, rotate
from isoref.structure import Diagonal, Staircase
from isoref.topology import compress, grow, materialise
from isoref.training.metrics import (
    dead,
    divergence,
    effective_rank,
    epsilon_scaled,
    participation_ratio,
    scaffolds,
    spectra,
    spectrum_sum,
)
from isoref.verification.cases import network

U = 2.0**-53

shapes = st.tuples(st.integers(1, 7), st.integers(1, 7), st.integers(0, 7), st.integers(0, 1000))


def made(shape: Any) -> tuple[Any, list[float]]:
    """A matrix with given singular values."""
    m, n, rank, seed = shape
    rng = np.random.default_rng(seed)
    values = np.zeros(min(m, n))
    rank = min(rank, len(values))
    values[:rank] = rng.uniform(0.1, 3.0, rank)
    core = np.zeros((m, n))
    core[range(len(values)), range(len(values))] = values
    return haar(m, seed=rng) @ core @ haar(n, seed=rng), sorted(values.tolist(), reverse=True)


@settings(deadline=None, max_examples=60)
@given(shape=shapes, scale=st.sampled_from([1e-200, 1.0, 1e200]))
def test_ranks_that_are_no_integers(shape: Any, scale: float) -> None:
    """The definitions in many digits; a singular value is off by 16 max(m, n) u σ_max at most."""
    matrix, values = made(shape)
    rank = sum(value > 0 for value in values)
    found = effective_rank(scale * matrix), participation_ratio(scale * matrix)
    if rank == 0:
        assert found == (0.0, 0.0)
        return
    with mpmath.workdps(30):
        s = [mpmath.mpf(value) for value in values if value]
        p = [value / sum(s) for value in s]
        entropy = -sum(v * mpmath.log(v) for v in p)
        want = (mpmath.exp(entropy), sum(v**2 for v in s) ** 2 / sum(v**4 for v in s))
    error = 16 * 7 * U
    # Relative: Σ δp (1 + log p) for the entropy, null values adding −δ log δ; 8 δσ/σ for the ratio.
    assert abs(found[0] - want[0]) <= want[0] * 7 * error * (1 - np.log(error))
    assert abs(found[1] - want[1]) <= want[1] * 8 * 7 * error
    for value in found:
        assert 1 - 1e-11 <= value <= rank * (1 + 1e-11)


def test_equal_singular_values_have_full_rank() -> None:
    for n in (1, 4):
        for matrix in (np.eye(n), 3e-5 * haar(n, 2 * n, seed=0), haar(2 * n, n, seed=0)):
            assert effective_rank(matrix) == pytest.approx(n, rel=1e-14)
            assert participation_ratio(matrix) == pytest.approx(n, rel=1e-14)
    assert participation_ratio(np.diag([2.0, 1.0])) == 25 / 17
    assert effective_rank(np.array([[-3.0]])) == participation_ratio(np.array([[-3.0]])) == 1.0
    matrix = haar(5, 3, seed=1).astype("float32")
    assert effective_rank(matrix) == pytest.approx(3, rel=1e-6)


def test_structured_weights_are_their_plain_arrays() -> None:
    diagonal = Diagonal(np.array([3.0, 2.0]), (2, 4))
    stairs = Staircase.upper(np.triu(np.arange(1.0, 10.0).reshape(3, 3)))
    for weight in (diagonal, stairs):
        for figure in (effective_rank, participation_ratio):
            assert figure(weight) == figure(weight.dense())


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_spectra_and_their_sum(dtype: str) -> None:
    net = network((5, 3, 4, 1), "tanh", 0.3, dtype, np.random.default_rng(0))
    turned = rotate(net, 2, haar(4, seed=1).astype(dtype))
    for s, t, layer in zip(spectra(net), spectra(turned), net.layers, strict=True):
        want = np.linalg.svd(layer.weight.astype(float), compute_uv=False)
        assert len(s) == min(layer.weight.shape)
        assert (np.diff(s) <= 0).all()
        assert np.abs(s - want).max() <= 64 * U * want[0]
        assert np.abs(s - t).max() <= 64 * np.finfo(dtype).eps * want[0]
    assert spectrum_sum(net) == sum(s.sum() for s in spectra(net))


@settings(deadline=None, max_examples=40)
@given(
    widths=st.lists(st.integers(1, 8), min_size=3, max_size=5).map(tuple),
    dtype=st.sampled_from(["float64", "float32"]),
    count=st.integers(1, 3),
    seed=st.integers(0, 1000),
)
def test_dead_neurons_and_scaffolds(
    widths: tuple[int, ...], dtype: str, count: int, seed: int
) -> None:
    """Generic matrices have full rank, scaffolds add nulls, rotations hide them, compress ends."""
    net = network(widths, "tanh", 0.3, dtype, np.random.default_rng(seed))
    want = [max(0, n - fan_in - (s > 0)) for s, (fan_in, n) in enumerate(pairwise(widths[:-1]))]
    assert list(dead(net)) == want
    assert scaffolds(net) == (0,) * net.depth
    grown, _ = grow(net, 1, count, seed=0)
    assert scaffolds(grown) == (count, *[0] * (net.depth - 1))
    assert dead(grown)[0] == want[0] + count
    n = grown.widths[1]
    turned = rotate(grown, 1, haar(n, seed=1).astype(dtype))
    assert scaffolds(turned)[0] == 0
    small, _ = compress(net)
    assert dead(small) == (0,) * net.depth


def test_a_constant_neuron_is_dead_and_no_scaffold() -> None:
    net = network((5, 3, 2), "tanh", 0.3, "float64", np.random.default_rng(0))
    real, _ = materialise(net, 1)
    assert dead(real) == (1,)
    assert scaffolds(real) == (0,)
    # A row that reads the gain alone is neither.
    deep = network((4, 2, 3, 2), "tanh", 0.3, "float64", np.random.default_rng(0))
    weight = deep.layers[1].weight.copy()
    weight[2] = 0
    deep = Network(
        [
            deep.layers[0],
            type(deep.layers[1])(weight, np.zeros(3), deep.layers[1].psi, 0.0),
            deep.layers[2],
        ]
    )
    assert dead(deep) == (0, 0)
    assert scaffolds(deep) == (0, 0)
    # A matrix of zeros has rank 0.
    first = type(net.layers[0])(np.zeros((3, 5)), np.zeros(3), q=0.0)
    assert (
        dead(Network([first, net.layers[1]])) == scaffolds(Network([first, net.layers[1]])) == (3,)
    )


def test_distances_of_outputs() -> None:
    y = np.array([[3.0, 4.0], [0.0, 0.0], [0.0, 2.0]])
    assert epsilon_scaled(y, y) == 0
    assert epsilon_scaled(y, y + np.array([[0.0, 0.5], [9.0, 9.0], [0.0, 1.0]])) == 30.0
    with pytest.raises(ValueError, match="y must have a row that is not zero"):
        epsilon_scaled(0 * y, y)
    assert divergence(y, y) == 0
    p, q = np.array([0.25, 0.75]), np.array([0.5, 0.5])
    want = float(p @ np.log(p / q))
    found = divergence(np.log(p)[None] + 5, np.log(q)[None] - 3)
    assert abs(found - want) <= 64 * U
