"""Checkpoints of the original PyTorch implementation (G. Bird, Isotropic-Adaptive-MLPs).

    weight_parameters.<i>            W_i                     i = 0 … L
    bias_parameters.<i>              b_i                     i = 0 … L
    psi_parameters.<i-1>             ψ_i                     i = 1 … L, all or none
    activation.<i>.intrinsic_length  log q of space i + 1    i = 0 … L − 1, all or none;
    activation.<i>.o_const           q of space i + 1        the activation after layer i

There r = √|o + ‖a‖²|: the o of that code is our q (C25).
"""

from __future__ import annotations

import math
import re

import numpy as np

from isoref.files.content import NDArray, assembled, checked
from isoref.files.failure import FileError, shown
from isoref.layer import Layer
from isoref.network import Network
from isoref.profiles import Profile

_KEY = re.compile(
    r"(weight_parameters|bias_parameters|psi_parameters)\.(0|[1-9][0-9]{0,3})"
    r"|activation\.(0|[1-9][0-9]{0,3})\.(intrinsic_length|o_const)"
)

Found = dict[str, dict[int, NDArray]]


def network(
    path: str, tensors: dict[str, NDArray], profile: Profile, *, logarithmic: bool
) -> Network:
    """Return the network of a state dict.

    Raises
    ------
    FileError
        When a key is missing or unknown, or a tensor has a wrong shape, dtype or value.
    """
    found = _sorted_keys(path, tensors)
    weights = found["weight_parameters"]
    last = len(weights) - 1
    if last < 0:
        raise FileError(f"{path}: the key weight_parameters.0 is missing; is it another network?")
    _check_indices(path, found, last)
    dtype = weights[0].dtype
    layers = []
    for i in range(last + 1):
        weight = _tensor(path, f"weight_parameters.{i}", weights[i], dtype, None)
        rows = weight.shape[:1]
        bias = _tensor(path, f"bias_parameters.{i}", found["bias_parameters"][i], dtype, rows)
        psi = found["psi_parameters"].get(i - 1, np.zeros(rows, dtype)) if i > 0 else None
        if psi is not None:
            psi = _tensor(path, f"psi_parameters.{i - 1}", psi, dtype, rows)
        q = _q(path, found, i, dtype, logarithmic) if i < last else None
        layers.append(Layer(weight, bias, psi, q))
    return assembled(path, layers, profile)


def _sorted_keys(path: str, tensors: dict[str, NDArray]) -> Found:
    names = ("weight_parameters", "bias_parameters", "psi_parameters")
    found: Found = {name: {} for name in (*names, "intrinsic_length", "o_const")}
    for key, tensor in tensors.items():
        matched = _KEY.fullmatch(key)
        if matched is None:
            raise FileError(f"{path}: the key {shown(key)} is not expected; remove it")
        found[matched[1] or matched[4]][int(matched[2] or matched[3])] = tensor
    return found


def _check_indices(path: str, found: Found, last: int) -> None:
    if set(found["intrinsic_length"]) & set(found["o_const"]):
        raise FileError(f"{path}: an activation has both intrinsic_length and o_const")
    activations = found["intrinsic_length"] | found["o_const"]
    for name, indices, count, needed in (
        ("weight_parameters", found["weight_parameters"], last + 1, True),
        ("bias_parameters", found["bias_parameters"], last + 1, True),
        ("psi_parameters", found["psi_parameters"], last, False),
        ("activation", activations, last, False),
    ):
        if set(indices) != set(range(count)) and (needed or indices):
            odd = min(set(indices) ^ set(range(count)))
            state = "missing" if odd < count else "not expected"
            raise FileError(f"{path}: {name}.{odd} is {state}; there are {last + 1} weights")


def _tensor(
    path: str, key: str, tensor: NDArray, dtype: np.dtype, shape: tuple[int, ...] | None
) -> NDArray:
    if tensor.dtype != dtype:
        raise FileError(
            f"{path}: {key} must be {dtype} as weight_parameters.0 is, got {tensor.dtype}"
        )
    if (tensor.ndim != 2) if shape is None else (tensor.shape != shape):
        expected = "two axes" if shape is None else f"shape {shape}"
        raise FileError(f"{path}: {key} must have {expected}, got shape {tensor.shape}")
    return checked(path, key, tensor)


def _q(path: str, found: Found, i: int, dtype: np.dtype, logarithmic: bool) -> NDArray:
    """Return q of the activation after layer i: computed in float64, rounded to `dtype`."""
    name = "intrinsic_length" if i in found["intrinsic_length"] else "o_const"
    key = f"activation.{i}.{name}"
    tensor = found[name].get(i, np.zeros((), dtype))
    if tensor.size != 1:
        raise FileError(f"{path}: {key} must be one number, got shape {tensor.shape}")
    value = float(tensor.reshape(()))
    if name == "intrinsic_length" and logarithmic:
        value = math.exp(value) if value < 710 else math.inf
    with np.errstate(over="ignore"):
        q = np.array(value).astype(dtype)
    if not (np.isfinite(q) and q >= 0):
        raise FileError(
            f"{path}: {key} must give a finite q >= 0, got q = {value}; if the network was made "
            "with positive_intrinsic_length=False, pass that to isoref.files.load_checkpoint"
        )
    return q
