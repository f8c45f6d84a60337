"""Experiment 6: isotropic against elementwise tanh, at fixed widths, with q and ψ off.

Published: 500 and 1000 neurons in 2 to 5 hidden spaces, 50 epochs, 9 repeats, six data sets, one
rate for both kinds. Here each kind also gets the rate that is best for it on other seeds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from isoref.experiments import figures
from isoref.experiments.experiment import (
    Experiment,
    Figure,
    Finding,
    Results,
    Table,
    Trial,
    Verdict,
)
from isoref.experiments.invariance import Held
from isoref.experiments.learning import (
    Learning,
    Samples,
    control,
    fit,
    held_accuracy,
    network,
    samples,
)
from isoref.experiments.rates import best, edges
from isoref.experiments.statistics import Paired, mean, together

KINDS = {"isotropic": network, "elementwise": control}

MARGIN = 0.5
"""Points of accuracy within which the two kinds count as equal."""


@dataclass(frozen=True, kw_only=True)
class Settings(Learning):
    """Those of training, the hidden widths to compare at, and the rates to choose from.

    `chosen` is filled in by the pilot: the best rate of each kind and shape.
    """

    shapes: tuple[tuple[int, ...], ...] = ((100, 100),)
    rates: tuple[float, ...] = (3e-4, 1e-3, 3e-3, 1e-2)
    chosen: Mapping[str, float] = field(default_factory=dict)
    q: float = 0.0
    psi_decay: float = 0.0
    pilots: int = 8


def shown(shape: Sequence[int]) -> str:
    """Return hidden widths as text."""
    return "–".join(map(str, shape))


def pilot(seed: int, settings: Settings) -> dict[str, Any]:
    """Try every rate for each kind and shape: the same number of tries for all."""
    parts = samples(settings, seed)
    return {
        f"{kind} {shown(shape)}": {
            f"{rate:g}": _trained(kind, shape, rate, parts, settings, seed)
            for rate in settings.rates
        }
        for shape in settings.shapes
        for kind in KINDS
    }


def choose(pilots: Sequence[Trial], settings: Settings) -> Settings:
    """Take the rate of the best mean accuracy; of equals the lowest."""
    return replace(settings, chosen=best(pilots, settings.rates))


def trial(seed: int, settings: Settings) -> dict[str, Any]:
    """Train both kinds at every shape, at the published rate and at their own."""
    parts = samples(settings, seed)
    found: dict[str, Any] = {}
    for shape in settings.shapes:
        for kind in KINDS:
            own = settings.chosen.get(f"{kind} {shown(shape)}", settings.rate)
            equal = _trained(kind, shape, settings.rate, parts, settings, seed)
            tuned = (
                _trained(kind, shape, own, parts, settings, seed) if own != settings.rate else equal
            )
            found.setdefault(shown(shape), {})[kind] = {"equal": equal, "tuned": tuned}
    return found


def _trained(
    kind: str, shape: tuple[int, ...], rate: float, parts: Samples, settings: Settings, seed: int
) -> float:
    start = KINDS[kind](settings, parts, seed, hidden=shape)
    rule = Held(rate=rate, decay=settings.decay, q=True, psi=True)
    return held_accuracy(fit(start, parts, settings, seed, optimiser=rule).net, parts)


def verdict(results: Results) -> Verdict:
    """Compare at each shape, once at the rate of both and once at the best rate of each."""
    pairs = {
        f"{shape}, {rates}": (
            results.values(shape, "isotropic", rates),
            results.values(shape, "elementwise", rates),
        )
        for shape in results.names()
        for rates in _compared(results)
    }
    found = together(pairs)
    rows = [
        (
            name.split(", ")[0],
            "the same for both" if "equal" in name
            else " and ".join(_rate(results, kind, name.split(", ")[0]) for kind in KINDS),
            *map(mean, pairs[name]),
            pair,
            f"{pair.effect:+.2f}".replace("-", "−"),
        )
        for name, pair in found.items()
    ]  # fmt: skip
    head = ("hidden widths", "rate, isotropic and elementwise", "isotropic (%)", "elementwise (%)",
            "difference (p)", "in deviations")  # fmt: skip
    rate = results.settings["rate"]
    findings = [_judged("equal", f"at the published rate of {rate:g} for both", found)]
    if results.pilots:
        findings.append(_judged("tuned", "with the rate of each chosen on other seeds", found))
    table = Table("Held-out accuracy, and isotropic minus elementwise", head, rows)
    return Verdict(findings, [table], list(_limits(results)))


def _compared(results: Results) -> tuple[str, ...]:
    """Return at which rates the kinds are compared: at those that a pilot has chosen, if any."""
    return ("equal", "tuned") if results.pilots else ("equal",)


def _limits(results: Results) -> Iterator[str]:
    """Yield what limits the comparison."""
    same = "Both kinds have the same widths, initial weights, batches and epochs, and "
    if results.pilots:
        yield same + (
            "the same number of tries for the rate; the rate that does best in a few pilot trials "
            "need not do best in others."
        )
    else:
        yield same + "one rate, which was chosen for neither; another may be better for one."
    yield (
        "The paper compares the two and draws no such line: the statement is ours, with a margin "
        f"of {MARGIN:g} points."
    )
    if results.settings["data"] == "digits":
        yield (
            "One data set of 8 × 8 images, on which all networks come close to what is possible, "
            "says little of others."
        )
    if results.pilots:
        yield from edges(results.settings)


def _rate(results: Results, kind: str, shape: str) -> str:
    """Return the rate that the pilot has chosen, or that of all."""
    chosen = results.settings["chosen"].get(f"{kind} {shape}", results.settings["rate"])
    return f"{chosen:g}"


def _judged(rates: str, words: str, found: Mapping[str, Paired]) -> Finding:
    here = {name.split(", ")[0]: pair for name, pair in found.items() if name.endswith(rates)}
    worse = [name for name, pair in here.items() if pair.clear and pair.difference < 0]
    better = [name for name, pair in here.items() if pair.clear and pair.difference > 0]
    equal = [name for name, pair in here.items() if pair.within(MARGIN)]
    if worse:
        outcome = "not supported" if len(worse) == len(here) else "partly supported"
    elif len(equal) + len(set(better) - set(equal)) == len(here):
        outcome = "supported"
    else:
        outcome = "no clear difference"
    told = "; ".join(f"{name}: {pair}" for name, pair in here.items())
    return Finding(
        f"Isotropic tanh is at least on a par with elementwise tanh, {words}.",
        outcome,
        f"Isotropic minus elementwise, in points: {told}. Clearly better at "
        f"{', '.join(better) or 'none'}, clearly worse at {', '.join(worse) or 'none'}; the 95 % "
        f"interval is within ±{MARGIN} points at {', '.join(equal) or 'none'}.",
    )


def draw(results: Results) -> Any:
    """Draw the accuracies of both kinds, and of every seed the difference."""
    shapes = results.names()
    figure, ((left, right),) = figures.canvas(1, 2, width=7.4, height=3.2)
    places = np.arange(len(shapes))
    ticks = shapes if len(shapes) <= 4 else [_short(shape) for shape in shapes]
    for k, (kind, rates) in enumerate((a, b) for b in _compared(results) for a in KINDS):
        values = np.array([results.values(shape, kind, rates) for shape in shapes]).T
        label = f"{kind}, {'one rate' if rates == 'equal' else 'own rate'}"
        figures.line(left, k, places + 0.12 * (k - 1.5), values, label, linestyle="none")
    for k, rates in enumerate(_compared(results)):
        for position, shape in enumerate(shapes):
            first, second = (results.values(shape, kind, rates) for kind in KINDS)
            where = position + 0.24 * (k - 0.5)
            look = {"marker": "os"[k], "mfc": ("0", "white")[k], "color": "0", "linestyle": "none"}
            right.plot(np.full(results.n, where), first - second, "_", color="0.6", markersize=7)
            difference = mean(first - second)
            words = {"label": ("one rate", "own rate")[k]} if position == 0 else {}
            right.errorbar(where, difference.mean, difference.error, capsize=3, **words, **look)
    right.axhline(0, color="0", lw=0.8)
    left.set_ylabel("held-out accuracy (%)")
    right.set_ylabel("isotropic − elementwise (points)")
    for panel in (left, right):
        panel.set_xticks(range(len(shapes)), ticks)
        panel.set_xlabel("hidden widths")
        panel.margins(x=0.15)
    right.legend(loc="upper left", bbox_to_anchor=(0, 1.12), ncols=2)
    left.legend(loc="upper left", bbox_to_anchor=(0, 1.2), ncols=2)
    return figure


def _short(shape: str) -> str:
    """Return "500 × 3" on two lines for "500–500–500", and other shapes as they are."""
    widths = shape.split("–")
    return f"{widths[0]}\n× {len(widths)}" if len(set(widths)) == 1 else shape


EXPERIMENT = Experiment(
    name="comparison",
    title="Isotropic against elementwise tanh",
    question=(
        "Networks of the same widths, initial weights, batches and epochs, with isotropic and with "
        "elementwise tanh, q = 0 and ψ = 0. Which is the more accurate on held-out samples, at one "
        "rate for both, and with the rate of each chosen on other seeds?"
    ),
    studies={
        "quick": Settings(
            seeds=4, pilots=2, shapes=((16, 16), (32, 32, 32)), epochs=4, rates=(1e-3, 1e-2)
        ),
        "default": Settings(shapes=((32, 32), (100, 100), (100, 100, 100, 100)), epochs=40),
        "published": Settings(
            seeds=9,
            pilots=0,
            epochs=50,
            shapes=tuple((width,) * depth for width in (500, 1000) for depth in (2, 3, 4, 5)),
        ),
    },
    trial=trial,
    verdict=verdict,
    figures={
        "": Figure(
            "Left, held-out accuracy, mean and standard error. Right, the difference on each seed "
            "(strokes), its mean and standard error.",
            draw,
        )
    },
    pilot=pilot,
    choose=choose,
)
