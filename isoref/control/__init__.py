r"""The control: the same network with an activation that acts on each neuron alone.

    a = W h + b,   h⁺ = φ(a)         neuron by neuron, where a `Network` has σ(r) u

It is there to be compared with: layers, initial weights, tangents, edits and optimisers are those
of isotropic networks, the activation is not. If such a φ commutes with any rotation that is no
signed permutation, it is affine (C03). So there is no gauge to choose: nothing here rotates,
diagonalises, sparsifies or compresses, and no rotation gathers what is weak in few neurons. Widths
change neuron by neuron:

    forward(grow(net, s, k), x) == forward(net, x)                 any outgoing columns, any φ (C23)
    forward(remove(net, s, neurons=D), x) == forward(net, x)       if the rows D of W_{s−1} vanish
    ‖Δy‖ ≤ ∏_{i>s} Lip φ ‖W_i‖ · ‖W_s[:, D] (h_D − c)‖ + rounding  whatever the rows are

There is no radius for q to join and no gain for ψ to multiply: both are zero, have zero gradients
and stay zero.

network      φ, φ′ and what is known of them, and the network
propagation  forward, trace, backward and jvp
roundoff     the worst case of rounding
edits        neurons added and removed, as values
widths       grow and remove, with a bound on what a removal does
"""

from __future__ import annotations

from isoref.control.edits import Add, Remove
from isoref.control.network import FUNCTIONS, Elementwise, Function
from isoref.control.propagation import State, Trace, backward, forward, jvp, trace
from isoref.control.roundoff import rounding
from isoref.control.widths import Growth, Removal, grow, remove

__all__ = [
    "Function",
    "FUNCTIONS",
    "Elementwise",
    "State",
    "Trace",
    "forward",
    "trace",
    "backward",
    "jvp",
    "rounding",
    "Add",
    "Remove",
    "Growth",
    "Removal",
    "grow",
    "remove",
]
