"""Figure of the page on the backward pass."""

from __future__ import annotations

from math import hypot

from drawing import Panel

RADIUS = 16
PLACES = {
    "h": (26, 64),
    "g": (26, 166),
    "a": (122, 64),
    "q": (122, 166),
    "r": (204, 166),
    "g⁺": (314, 166),
    "h⁺": (314, 64),
}
ARROWS = (
    ("h", "a", "W", (-2, -8), "one"),
    ("g", "a", "ψ", (14, 12), "two"),
    ("a", "r", "u", (12, -4), "two"),
    ("q", "r", "1/2r", (0, 20), "two"),
    ("r", "g⁺", "γ′", (0, 20), "two"),
    ("g⁺", "h⁺", "a", (13, 5), "two"),
    ("a", "h⁺", "g⁺ = γ", (0, -8), "one"),
)
"""From, to, the derivative, where it stands beside the middle of the arrow, and its colour."""


def perceptron() -> Panel:
    """Draw one perceptron as a graph, with the derivative of every arrow."""
    panel = Panel(340, 212, "Arrows from h and g to a, from a and q to r, to the gain and to h")
    for start, stop, words, (right, down), name in ARROWS:
        (x, y), (v, w) = PLACES[start], PLACES[stop]
        length = hypot(v - x, w - y)
        c, s = (v - x) / length, (w - y) / length
        near, far = RADIUS + 3, length - RADIUS - 3
        panel.arrow((x + near * c, y + near * s), (x + far * c, y + far * s), name, 2)
        panel.text(((x + v) / 2 + right, (y + w) / 2 + down), words, fill=name)
    for words, (x, y) in PLACES.items():
        panel.circle((x, y), RADIUS)
        panel.text((x, y + 5), words, size=14)
    panel.text((170, 18), "velocities go along the arrows →", fill="ink")
    panel.text((170, 36), "← cotangents against them", fill="ink")
    return panel


FIGURES = {"backward-arrows": perceptron}
