"""Factorisations never fail, follow the rule of signs, and repeat byte for byte."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from isoref import factor
from isoref.diagonal import diagonalise
from isoref.network import Network, leaves

rng = np.random.default_rng(0)
MATRICES: dict[str, Any] = {
    "wide": rng.standard_normal((3, 7)),
    "tall": rng.standard_normal((7, 3)),
    "repeated": np.linalg.qr(rng.standard_normal((6, 6)))[0],
    "rank one": np.outer(rng.standard_normal(5), rng.standard_normal(4)),
    "zero": np.zeros((3, 4)),
    "one": np.array([[-2.0]]),
    "huge": 1e300 * rng.standard_normal((4, 4)),
    "tiny": 1e-300 * rng.standard_normal((4, 4)),
}


def holds(a: Any, u: Any, s: Any, vt: Any) -> None:
    """U and V are orthogonal and UΣVᵀ = A, within 16 n u: the backward error of LAPACK."""
    n = max(a.shape)
    unit = 16 * n * factor.UNIT
    scale = float(np.abs(a).max()) or 1.0
    sigma = np.zeros(a.shape)
    sigma[: len(s), : len(s)] = np.diag(s / scale)
    assert np.abs(u @ u.T - np.eye(len(u))).max() <= unit
    assert np.abs(vt @ vt.T - np.eye(len(vt))).max() <= unit
    assert np.abs(u @ sigma @ vt - a / scale).max() <= unit * n
    assert (np.diff(s) <= 0).all()
    assert (s >= 0).all()


@pytest.mark.parametrize("name", MATRICES)
def test_the_decomposition_and_its_signs(name: str) -> None:
    a = MATRICES[name]
    u, s, vt = factor.svd(a)
    holds(a, u, s, vt)
    assert (u[np.abs(u).argmax(axis=0), np.arange(len(u))] > 0).all()


@pytest.mark.parametrize("name", MATRICES)
def test_the_last_resort_converges(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With both drivers of LAPACK failing, Jacobi rotations give the same decomposition."""

    def fail(*_: Any, **__: Any) -> Any:
        raise np.linalg.LinAlgError("did not converge")

    want = factor.svd(MATRICES[name])[1]
    monkeypatch.setattr(np.linalg, "svd", fail)
    monkeypatch.setattr(factor, "_by_qr_iteration", fail)
    u, s, vt = factor.svd(MATRICES[name])
    holds(MATRICES[name], u, s, vt)
    assert np.abs(s - want).max() <= 64 * factor.UNIT * (want[0] if len(want) else 1)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("side", ["left", "right", "full"])
def test_the_same_input_gives_the_same_bytes(side: str, dtype: str) -> None:
    net = Network.random((5, 6, 6, 3), dtype=dtype, seed=0)
    first, second = (diagonalise(net, 1, side)[0] for _ in range(2))
    for _, _, (a, b) in leaves(first, second):
        assert np.asarray(a).tobytes() == np.asarray(b).tobytes()
