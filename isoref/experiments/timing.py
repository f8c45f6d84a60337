"""Experiment 0: what a growth or a removal costs beside an epoch of training.

Published: 3072–500–500–10 on CIFAR-10, 25 epochs after 5 of warming up; on one GPU 17.5 s an epoch,
0.037 s a removal and 0.030 s a growth, with AdamW's state carried along.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import process_time
from typing import Any

import numpy as np

from isoref import grow, prune
from isoref.experiments import figures
from isoref.experiments.experiment import Experiment, Figure, Finding, Results, Table, Verdict
from isoref.experiments.learning import Learning, fit, held_accuracy, network, samples
from isoref.experiments.statistics import Mean, mean
from isoref.training import AdamW, Run

SPACE = 2
"""The second hidden space: its incoming matrix is that of the published edits."""

LITTLE = 0.05
"""The share of an epoch below which an edit costs little."""

TIMES = {
    "epoch": "an epoch of training",
    "testing": "the held-out samples",
    "growth": "a growth by one neuron",
    "removal": "a removal of one neuron",
    "ten": "a removal of ten at once",
}


@dataclass(frozen=True, kw_only=True)
class Settings(Learning):
    """Those of training, and how often each is timed, after as many runs that are not counted."""

    repeats: int = 25
    warmup: int = 5


def trial(seed: int, settings: Settings) -> dict[str, Any]:
    """Time each in turn, over and over, always on the network of the same training run."""
    parts = samples(settings, seed)
    start = network(settings, parts, seed)
    run = Run(start, AdamW(rate=settings.rate, decay=settings.decay).start(start))
    seconds: dict[str, list[float]] = {name: [] for name in TIMES}
    work: dict[str, Callable[[Run[Any]], Any]] = {
        "testing": lambda run: held_accuracy(run.net, parts),
        "growth": lambda run: run.edited(*grow(run.net, SPACE, 1, seed=seed)),
        "removal": lambda run: _pruned(run, 1),
        "ten": lambda run: _pruned(run, 10),
        "epoch": lambda run: fit(run, parts, settings, seed, epochs=run.epoch + 1),
    }
    found: Any = run
    for _ in range(settings.warmup + settings.repeats):
        run = found
        for name, call in work.items():
            begin = process_time()
            found = call(run)
            seconds[name].append(process_time() - begin)
    steps = -(-len(parts.x) // settings.batch)
    medians = {name: float(np.median(found[settings.warmup :])) for name, found in seconds.items()}
    return {"seconds": medians, "steps": steps}


def _pruned(run: Run[Any], count: int) -> Run[Any]:
    """Remove neurons; the second moments follow approximately, as in the published code."""
    return run.edited(*prune(run.net, SPACE, count=count), approximate=True)


def verdict(results: Results) -> Verdict:
    """Compare edits with epochs of the data at hand and of the published data."""
    findings = [
        _costs(results, "growth", "Growing a neuron costs little beside an epoch of training."),
        _costs(results, "removal", "Removing a neuron costs little beside an epoch of training."),
    ]
    ten, one = results.values("seconds", "ten"), results.values("seconds", "removal")
    ratio = mean(ten / one)
    findings.append(
        Finding(
            "Ten neurons can be removed for the price of one, by one factorisation.",
            _cheap(ratio),
            f"Ten at once take {ratio} times as long as one. (Published code factorises once a "
            "neuron.)",
        )
    )
    rows = [
        (words, _milliseconds(results.values("seconds", name)), _steps(results, name))
        for name, words in TIMES.items()
    ]
    head = ("what", "milliseconds", "training steps")
    table = Table("Medians within a seed, mean over the seeds", head, rows)
    remarks = [
        "Times are those of the processor, in one thread a process: waiting does not count, but "
        "processes that run beside it share its caches. Shares of times that were taken in turn "
        "suffer less from that than the times themselves.",
        "Published, on one GPU: 17.5 s an epoch of 1042 steps, 0.030 s a growth and 0.037 s a "
        "removal, 0.17 % and 0.21 % of an epoch.",
    ]
    return Verdict(findings, [table], remarks)


def _cheap(ratio: Mean) -> str:
    """Return the outcome: the price of one is that within a tenth, and ten are not twice it."""
    top = ratio.mean + 2 * ratio.error
    if top < 1.1:
        return "supported"
    return "partly supported" if top < 2 else "not supported"


def _milliseconds(values: Any) -> Mean:
    return mean(1000 * values)


def _steps(results: Results, name: str) -> Mean:
    """Return a time in steps of training."""
    step = results.values("seconds", "epoch") / results.values("steps")
    return mean(results.values("seconds", name) / step)


def _costs(results: Results, name: str, statement: str) -> Finding:
    share = mean(100 * results.values("seconds", name) / results.values("seconds", "epoch"))
    steps = _steps(results, name)
    long = 100 * steps.mean / 1042
    if share.mean + 2 * share.error < 100 * LITTLE:
        outcome = "supported"
    else:
        outcome = "partly supported" if long < 100 * LITTLE else "not supported"
    return Finding(
        statement,
        outcome,
        f"It takes {share} % of an epoch of {results.values('steps')[0]:.0f} steps, as long as "
        f"{steps} steps; of an epoch of 1042 steps, as CIFAR-10 has, that would be {long:.2g} %. "
        f"Little means below {100 * LITTLE:g} %.",
    )


def draw(results: Results) -> Any:
    """Draw all times, on a logarithmic axis."""
    figure, ((axes,),) = figures.canvas(width=6.4, height=2.6)
    for row, name in enumerate(TIMES):
        values = 1000 * results.values("seconds", name)
        axes.plot(values, np.full(len(values), row), "|", color="0.5", markersize=11)
        middle = float(np.median(values))
        axes.plot(middle, row, "o", color="0")
        axes.annotate(f"{middle:.3g}", (middle, row), (0, 7), ha="center",
                      textcoords="offset points", fontsize=8)  # fmt: skip
    axes.set_yticks(range(len(TIMES)), list(TIMES.values()))
    axes.set(
        xscale="log", xlabel="time of the processor (ms), one thread", ylim=(len(TIMES) - 0.5, -0.7)
    )
    return figure


EXPERIMENT = Experiment(
    name="timing",
    title="What an edit costs",
    question=(
        "A growth by one neuron and a removal of one from the second hidden space, with AdamW's "
        "state carried along, are timed beside an epoch of training and an evaluation of the "
        "held-out samples, in turn and in one process."
    ),
    studies={
        "quick": Settings(seeds=2, hidden=(500, 500), repeats=3, warmup=1),
        "default": Settings(hidden=(500, 500), repeats=5, warmup=1),
        "published": Settings(seeds=2, hidden=(500, 500)),
    },
    trial=trial,
    verdict=verdict,
    figures={"": Figure("Time of each, a stroke a seed and a dot for the median.", draw)},
    timed=True,
)
