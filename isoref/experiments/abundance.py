"""Abundance: does it help to start with more neurons, or with fewer, than are wanted at the end?

The published experiment 4, and figures 3 to 5 of the first version of the paper: networks hold
their first width, change it linearly to the last, and settle. Every pair of widths is trained,
isotropic and elementwise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from isoref.experiments.abundance_verdict import (
    EVERY,
    NAMES,
    drawn_ends,
    drawn_starts,
    pair,
    verdict,
)
from isoref.experiments.experiment import Experiment, Figure, Trial
from isoref.experiments.learning import Learning, Samples, control, fit, held_accuracy, network
from isoref.experiments.learning import samples as samples_of
from isoref.experiments.rates import best
from isoref.training import AdamW, Run, Widths

KINDS = dict(zip(NAMES, (network, control), strict=True))


@dataclass(frozen=True, kw_only=True)
class Abundance(Learning):
    """Settings: the widths, and the epochs of the three parts.

    Attributes
    ----------
    widths : tuple of int
        Of both hidden spaces, at the start and at the end; every pair is trained.
    hold, over, settle : int
        Epochs at the first width, of linear change, and at the last width.
    chosen : mapping of str to float
        The rate of each kind of network; the pilot chooses them among `rates`.
    rates : tuple of float
        Rates that the pilot tries, the same for both kinds.
    """

    widths: tuple[int, ...] = (4, 8, 16, 32)
    hold: int = 24
    over: int = 48
    settle: int = 8
    chosen: Mapping[str, float] = field(default_factory=lambda: dict.fromkeys(KINDS, 1e-3))
    rates: tuple[float, ...] = (1e-3, 2e-3, 4e-3, 8e-3)

    @property
    def total(self) -> int:
        """Epochs in all."""
        return self.hold + self.over + self.settle


def trial(seed: int, s: Abundance) -> dict[str, Any]:
    """Train every pair of widths of both kinds on one seed.

    "pretrained" is the held-out accuracy before the first change, by first width, "pretraining" the
    one after every fourth epoch until then; "accuracy" is the one at the end, "curve" the one after
    every fourth epoch from there, by pair.
    """
    parts = samples_of(s, seed)
    found: dict[str, Any] = {
        kind: {"pretraining": {}, "pretrained": {}, "accuracy": {}, "curve": {}} for kind in KINDS
    }

    def told(now: Run[Any]) -> dict[str, Any]:
        return {"accuracy": round(held_accuracy(now.net, parts), 2)}

    for kind in KINDS:
        here = found[kind]
        for start in s.widths:
            born = _start(kind, s, parts, seed, start)
            run = _run(born, s, kind, parts, seed, s.hold - 1, callbacks=(told,))
            here["pretrained"][str(start)] = held_accuracy(run.net, parts)
            here["pretraining"][str(start)] = _curve(run.history[:-1])
            for end in s.widths:
                done = _changed(run, s, kind, parts, seed, (start, end), callbacks=(told,))
                here["accuracy"][pair(start, end)] = done.history[-1]["accuracy"]
                here["curve"][pair(start, end)] = _curve(done.history[s.hold - 1 :])
    return found


def _curve(history: Sequence[Mapping[str, Any]]) -> list[float]:
    return [record["accuracy"] for record in history[EVERY - 1 :: EVERY]]


def pilot(seed: int, s: Abundance) -> dict[str, Any]:
    """Return the accuracy of each kind at each rate, at the median width, which does not change."""
    parts, width = samples_of(s, seed), sorted(s.widths)[len(s.widths) // 2]
    found: dict[str, Any] = {kind: {} for kind in KINDS}
    for kind in KINDS:
        for rate in s.rates:
            here = replace(s, chosen={kind: rate})
            run = _run(_start(kind, here, parts, seed, width), here, kind, parts, seed, s.total)
            found[kind][f"{rate:g}"] = held_accuracy(run.net, parts)
    return found


def choose(pilots: Sequence[Trial], s: Abundance) -> Abundance:
    """Return the settings with the best rate of each kind."""
    return replace(s, chosen=best(pilots, s.rates))


def _start(kind: str, s: Abundance, parts: Samples, seed: int, width: int) -> Any:
    return KINDS[kind](s, parts, seed, hidden=(width, width))


def _run(
    start: Any, s: Abundance, kind: str, parts: Samples, seed: int, epochs: int, **options: Any
) -> Run[Any]:
    rule = AdamW(rate=s.chosen[kind], decay=s.decay)
    return fit(start, parts, s, seed, optimiser=rule, epochs=epochs, **options)


def _changed(
    run: Run[Any],
    s: Abundance,
    kind: str,
    parts: Samples,
    seed: int,
    ends: tuple[int, int],
    **options: Any,
) -> Run[Any]:
    """Go on to the end: the widths change, and AdamW follows as the published code lets it."""
    free = kind == "isotropic"
    start, end = ((width, width) for width in ends)
    basis = "free" if free else "fixed"
    rule = Widths(start=start, target=end, hold=s.hold, over=s.over, basis=basis)
    return _run(run, s, kind, parts, seed, s.total, rules=(rule,), approximate=free, **options)


EXPERIMENT = Experiment(
    name="abundance",
    title="Starting with more neurons, or with fewer",
    question=(
        "Networks with two hidden spaces of equal width are trained at a first width, change it "
        "linearly to a last one while training goes on, and settle there. Does it matter where "
        "they began? Each pair is compared with the network that has had the last width all the "
        "time, on the same split, initial draw and order of samples; elementwise tanh networks are "
        "the control."
    ),
    studies={
        "quick": Abundance(
            seeds=2,
            pilots=0,
            widths=(4, 16),
            hold=4,
            over=12,
            settle=4,
            chosen=dict.fromkeys(KINDS, 4e-3),
        ),
        "default": Abundance(pilots=4),
        "published": Abundance(
            seeds=4, widths=(7, 10, 25, 50, 75, 100), hold=15, over=75, settle=10
        ),
    },
    trial=trial,
    verdict=verdict,
    figures={
        "": Figure(
            "Accuracy at the end against the width at the start, for each width at the end; grey "
            "dashed, the accuracy before the first change. Bars are one standard error.",
            drawn_ends,
        ),
        "epochs": Figure(
            "Accuracy over the epochs, from pretraining on; the widths change in the shaded part. "
            "Bands are one "
            "standard error.",
            drawn_starts,
        ),
    },
    pilot=pilot,
    choose=choose,
)
