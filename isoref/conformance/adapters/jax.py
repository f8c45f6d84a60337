"""An isotropic network as a function in JAX, and its adapter: tanh, dense layers.

Copy it and put your own function in the place of `network`. What takes care in `activation`: the
norm does not overflow, no square root is differentiated at 0, for r < 3 the gain tanh(r)/r is
Lambert's continued fraction in r², whose derivatives do not cancel, and beyond it comes from
exp(−2r): XLA's tanh is off by some roundings near 8, which 1 − tanh² has whole beside γ = 1/8.
"""

from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from isoref.conformance.adapter import above, entries


def activation(a: Any, q: Any) -> Any:
    """Return (h, g) of pre-activations (B, n), q a scalar or (B, 1)."""
    scale = jnp.maximum(jnp.max(jnp.abs(a), axis=1, keepdims=True), jnp.sqrt(q))
    scale = jax.lax.stop_gradient(jnp.maximum(scale, 4))
    b = a / scale
    s = jnp.sum(b * b, axis=1, keepdims=True) + q / scale / scale
    near = (scale == 4) & (s < 9 / 16)
    fraction, r2 = jnp.full_like(s, 31), jnp.where(near, 16 * s, 0)
    for k in range(29, 0, -2):
        fraction = k + r2 / fraction
    root = jnp.sqrt(jnp.where(near, 1, s))
    r = scale * root
    e = jnp.exp(-2 * r)
    sigma = (1 - e) / (1 + e)
    h = jnp.where(near, a / fraction, sigma * (b / root))
    return h, jnp.where(near, 1 / fraction, sigma / r)


def network(layers: Any, h: Any) -> Any:
    """Return y (B, n_out) of a list of dictionaries of weight, bias, psi and q."""
    g = None
    for layer in layers:
        a = h @ layer["weight"].T + layer["bias"]
        a = a if g is None else a + g * layer["psi"]
        if "q" in layer:
            h, g = activation(a, layer["q"])
    return a


def pytree(net: Any) -> Any:
    """Return the parameters of an isoref Network or Tangent."""
    return [{n: jnp.asarray(v) for n, v in entries(layer).items()} for layer in net.layers]


class Adapter:
    """Levels 1 to 3 in float32; `isoref.conformance.adapter` tells what each method returns."""

    info: ClassVar = {"name": "isoref's JAX example", "version": jax.__version__}
    numerics: ClassVar = {"storage": "float32", "multiply": "auto", "subnormals": "flushed"}
    profiles = ("tanh",)
    unsupported: ClassVar = {**above(3), "convolution": "dense only", "skip": "a chain only"}

    def activation(self, profile: Any, a: Any, q: Any) -> Any:
        return tuple(np.asarray(v) for v in activation(jnp.asarray(a), jnp.asarray(q)))

    def forward(self, net: Any, x: Any) -> Any:
        return np.asarray(network(pytree(net), jnp.asarray(x)))

    def activation_vjp(self, profile: Any, a: Any, q: Any, hbar: Any, gbar: Any) -> Any:
        _, pull = jax.vjp(activation, jnp.asarray(a), jnp.full((len(a), 1), q))
        abar, qbar = pull((jnp.asarray(hbar), jnp.asarray(gbar)))
        return np.asarray(abar), np.asarray(qbar)[:, 0]

    def backward(self, net: Any, x: Any, ybar: Any) -> Any:
        found = jax.vjp(network, pytree(net), jnp.asarray(x))[1](jnp.asarray(ybar))
        return jax.tree.map(np.asarray, found)

    def jvp(self, net: Any, x: Any, net_dot: Any, x_dot: Any) -> Any:
        at, along = (pytree(net), jnp.asarray(x)), (pytree(net_dot), jnp.asarray(x_dot))
        return jax.tree.map(np.asarray, jax.jvp(network, at, along))
