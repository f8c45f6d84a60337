"""An isotropic network in PyTorch, and its adapter: tanh, dense layers, derivatives by autograd.

In `activation` the norm does not overflow, no square root is differentiated at 0, and for r < 3
the gain tanh(r)/r is Lambert's continued fraction in r², whose derivatives do not cancel.
"""

from typing import Any, ClassVar

import numpy as np
import torch

from isoref.conformance.adapter import above, entries


def activation(a: torch.Tensor, q: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return (h, g) of pre-activations (B, n), q a scalar or (B, 1)."""
    scale = torch.maximum(a.abs().amax(1, keepdim=True), q.sqrt()).clamp(min=4).detach()
    s = ((a / scale) ** 2).sum(1, keepdim=True) + q / scale / scale
    near = (scale == 4) & (s < 9 / 16)
    fraction, r2 = torch.full_like(s, 31), torch.where(near, 16 * s, 0)
    for k in range(29, 0, -2):
        fraction = k + r2 / fraction
    root = torch.where(near, 1, s).sqrt()
    r = scale * root
    h = torch.where(near, a / fraction, torch.tanh(r) * (a / scale / root))
    return h, torch.where(near, 1 / fraction, torch.tanh(r) / r)


class Isotropic(torch.nn.Module):  # type: ignore[misc]
    """A network that trains weights, biases, ψ and q: put your own module in its place."""

    def __init__(self, net: Any) -> None:
        super().__init__()
        found = ({n: torch.tensor(np.array(v)) for n, v in entries(p).items()} for p in net.layers)
        self.layers = torch.nn.ModuleList(map(torch.nn.ParameterDict, found))

    def forward(self, h: torch.Tensor) -> torch.Tensor:
        g: Any = None
        for p in self.layers:
            a = torch.nn.functional.linear(h, p["weight"], p["bias"])
            a = a + g * p["psi"] if "psi" in p else a
            h, g = activation(a, p["q"]) if "q" in p else (a, None)
        return h


class Adapter:
    """Levels 1 to 3 in float32; `isoref.conformance.adapter` tells what each method returns."""

    info: ClassVar = {"name": "isoref's PyTorch example", "version": torch.__version__}
    numerics: ClassVar = {"storage": "float32", "multiply": "auto"}
    unsupported: ClassVar = {**above(3), "convolution": "dense only", "skip": "a chain only"}
    profiles = ("tanh",)

    def activation(self, profile: Any, a: Any, q: Any) -> Any:
        return tuple(v.numpy() for v in activation(torch.tensor(a), torch.tensor(q)))

    def forward(self, net: Any, x: Any) -> Any:
        return Isotropic(net)(torch.tensor(x)).detach().numpy()

    def activation_vjp(self, profile: Any, a: Any, q: Any, hbar: Any, gbar: Any) -> Any:
        a, q, *bars = map(torch.tensor, (a, np.full((len(a), 1), q), hbar, gbar))
        abar, qbar = torch.func.vjp(activation, a, q)[1](tuple(bars))
        return abar.numpy(), qbar.numpy()[:, 0]

    def backward(self, net: Any, x: Any, ybar: Any) -> Any:
        model, x = Isotropic(net), torch.tensor(x, requires_grad=True)
        model(x).backward(torch.tensor(ybar))
        return [{n: v.grad.numpy() for n, v in p.items()} for p in model.layers], x.grad.numpy()

    def jvp(self, net: Any, x: Any, net_dot: Any, x_dot: Any) -> Any:
        model, dot = Isotropic(net), Isotropic(net_dot)
        at, along = dict(model.named_parameters()), dict(dot.named_parameters())
        pairs = (at, torch.tensor(x)), (along, torch.tensor(x_dot))
        y, ydot = torch.func.jvp(lambda p, h: torch.func.functional_call(model, p, h), *pairs)
        return y.detach().numpy(), ydot.detach().numpy()


class Adapter64(Adapter):
    numerics: ClassVar = {"storage": "float64", "multiply": "auto"}
