"""What the numbers of the experiment on tasks say, and its figure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from scipy import stats

from isoref.experiments import figures
from isoref.experiments.experiment import Finding, Results, Table, Verdict
from isoref.experiments.statistics import LEVEL, Paired, mean, paired, together
from isoref.experiments.tasks_arms import ARMS, PUBLISHED, SCHEDULE

NDArray = np.ndarray[Any, Any]


class Pair(NamedTuple):
    """An arm with its controls, and how its tasks are said to come and to go."""

    arm: str
    alone: str
    stay: str
    come: str
    go: str


PAIRS = (
    Pair(
        "switched on and off",
        "one task",
        "switched on, all stay",
        "are switched on",
        "are switched off",
    ),
    Pair(
        "switched on and off, strong decay",
        "one task, strong decay",
        "switched on, all stay, strong decay",
        "are switched on",
        "are switched off",
    ),
    Pair(
        "come and go",
        "one task, its own inputs",
        "come, all stay",
        "come with their inputs and outputs",
        "go with their inputs and outputs",
    ),
)


_TASKS = (
    "The tasks are thirds of the classes in their order, of the digits 0 to 2, 3 to 6 and 7 to 9, "
    "each with inputs of its own.",
    "The tasks are MNIST, Fashion-MNIST and the letters A to J of EMNIST, as published, with all "
    "their samples; a batch has samples of all tasks that are on, where the published code takes "
    "one batch of each, cut to the size of the smallest.",
)
"""What the tasks are: of one data set, and of the three published ones."""

KEPT = 0.1
"""Of a difference in width at the start; if no more is left at the end, the start is forgotten."""


def total(results: Results, arm: str, phase: int) -> NDArray:
    """Return for each seed the neurons of all hidden spaces at the end of a phase, from 0 on."""
    return np.asarray(results.values(arm, "widths")[:, phase].sum(axis=1))


def verdict(results: Results) -> Verdict:
    """Compare the changes of the widths with those of a network that has one task throughout."""
    findings = [*_grown(results), *_shrunk(results)]
    findings += [_forgotten(results), _still(results), _static(results)]
    rows = [
        [arm, *(mean(total(results, arm, phase)) for phase in range(len(SCHEDULE)))] for arm in ARMS
    ]
    head = ["", *(", ".join(active) for active in SCHEDULE)]
    widths = Table(
        f"Neurons of all hidden spaces at the end of each phase, from {mean(_starts(results))}; "
        "the arms with one task have A in all phases, and those with their own inputs none of "
        "the other tasks' inputs",
        head,
        rows,
    )
    rows = [[arm, *map(mean, results.values(arm, "accuracy").T)] for arm in ARMS]
    accuracy = Table(
        "Held-out accuracy in per cent at the end of each phase, the mean over the tasks that are "
        "on",
        head,
        rows,
    )
    settings = results.settings
    remarks = [
        "Every epoch has as many steps as the samples of all three tasks fill: where fewer are on, "
        "theirs come several times.",
        f"“Strong” is a weight decay of {settings['strong']:g}, otherwise it is "
        f"{settings['decay']:g}: nothing else makes the weights of an absent task smaller, by the "
        f"factor {1 - settings['rate'] * settings['strong']:.6f} or "
        f"{1 - settings['rate'] * settings['decay']:.6f} a step. Longer phases may forget more.",
        _TASKS[settings["data"] == PUBLISHED[0]],
    ]
    return Verdict(findings, (widths, accuracy), remarks)


def _starts(results: Results) -> NDArray:
    return np.asarray(results.values("start").sum(axis=1))


def _grown(results: Results) -> Iterator[Finding]:
    """Say whether spaces grow in the second and third phase more than with one task."""
    changes = {
        pair.arm: (_change(results, pair.arm, 0, 2), _change(results, pair.alone, 0, 2))
        for pair in PAIRS
    }
    found = together(changes)
    for pair in PAIRS:
        own, other = changes[pair.arm]
        yield Finding(
            f"Hidden spaces grow when tasks {pair.come} (weight decay {_decay(results, pair):g}).",
            _outcome(found[pair.arm], 1),
            f"While B and C come, they change by {mean(own)} neurons in all, and in the same "
            f"epochs with one task by {mean(other)}: a difference of {found[pair.arm]}.",
        )


def _shrunk(results: Results) -> Iterator[Finding]:
    """Say whether spaces shrink in the last phase more than where all tasks stay."""
    changes = {
        pair.arm: (_change(results, pair.arm, 2, 3), _change(results, pair.stay, 2, 3))
        for pair in PAIRS
    }
    found = together(changes)
    for pair in PAIRS:
        own, other = changes[pair.arm]
        yield Finding(
            f"Hidden spaces shrink when tasks {pair.go} (weight decay {_decay(results, pair):g}).",
            _outcome(found[pair.arm], -1),
            f"After A and C are gone they change by {mean(own)} neurons in all, and where all "
            f"tasks stay by {mean(other)}: a difference of {found[pair.arm]}. Before, while B and "
            f"C came, they had changed by {mean(_change(results, pair.arm, 0, 2))}.",
        )


def _change(results: Results, arm: str, first: int, last: int) -> NDArray:
    return total(results, arm, last) - total(results, arm, first)


def _decay(results: Results, pair: Pair) -> float:
    return float(results.settings["strong" if ARMS[pair.arm].strong else "decay"])


def _outcome(found: Paired, sign: int) -> str:
    if not found.clear:
        return "no clear difference"
    return "supported" if sign * found.difference > 0 else "not supported"


def _forgotten(results: Results) -> Finding:
    """Say how much of a difference in width at the start is left when all tasks are on.

    That a correlation is not clear does not support it: the whole interval has to be small.
    """
    start, end = _starts(results), total(results, "switched on and off", 2)
    before, after = float(start.std(ddof=1)), float(end.std(ddof=1))
    told = (
        f"The total varies over the seeds with a standard deviation of {before:.1f} at the start "
        f"and of {after:.1f} when all tasks are on (“switched on and off”). "
    )
    if results.n < 3 or not before:
        outcome = "open"
        told += "These are too few seeds to tell how the two are related."
    else:
        slope, low, high = _slope(start, end)
        outcome = "open"
        if max(-low, high) <= KEPT:
            outcome = "supported"
        elif low > 0 or high < 0:
            outcome = "partly supported" if max(-low, high) < 0.5 else "not supported"
        told += (
            f"Of one neuron more at the start {slope:.2f} are left, 95 % interval {low:.2f} to "
            f"{high:.2f}; forgotten means that it lies within ±{KEPT:g}."
        ).replace(" -", " −")
    return Finding(
        "The widths that the controller finds do not depend on those at the start.", outcome, told
    )


def _slope(x: NDArray, y: NDArray) -> tuple[float, float, float]:
    """Return how much of a difference in x is left in y, and its 95 % interval."""
    x, y = x - x.mean(), y - y.mean()
    slope = float(x @ y / (x @ x))
    error = float(np.linalg.norm(y - slope * x) / np.sqrt((len(x) - 2) * (x @ x)))
    reach = float(stats.t.ppf(1 - LEVEL / 2, len(x) - 2)) * error
    return slope, slope - reach, slope + reach


def _still(results: Results) -> Finding:
    moved = results.values("come and go", "moved")
    unit = float(np.finfo(str(results.settings["dtype"])).eps)
    largest = float(moved.max())
    return Finding(
        "A task that comes or goes leaves the outputs of the others as they are.",
        "supported" if largest < 100 * unit else "not supported",
        f"The largest change of an output of a task that stays is {largest:.1e} of the largest "
        f"output, over all seeds; the roundoff of the arithmetic is {unit:.1e}.",
    )


def _static(results: Results) -> Finding:
    own, other = (
        results.values(arm, "accuracy")[:, 2] for arm in ("switched on and off", "fixed widths")
    )
    found = paired(own, other)
    return Finding(
        "Adapting the widths serves accuracy better than keeping those of the start.",
        _outcome(found, 1),
        f"With all tasks on, held-out accuracy is {mean(own)} % with the controller and "
        f"{mean(other)} % with fixed widths: a difference of {found} points.",
    )


def drawn(results: Results) -> Any:
    """Draw all neurons of the hidden spaces over the epochs."""
    figure, grid = figures.canvas(1, 2, width=7.6, height=3.9, sharey=True)
    phase = results.settings["phase"]
    sides = tuple(ARMS)[:6], tuple(ARMS)[6:9]
    titles = [f"weight decay {results.settings[name]:g}" for name in ("decay", "strong")]
    for axes, arms, title in zip(grid[0], sides, titles, strict=True):
        for k, arm in enumerate(arms):
            stay = 3 * phase // 2 if "all stay" in arm else 0  # before, the arm above is the same
            values = results.values(arm, "totals")[:, max(0, stay - 1) :]
            epochs = 2 * (max(1, stay) + np.arange(values.shape[1]))
            look = figures.LOOKS[k]
            label = arm.removesuffix(", strong decay")
            marks = {"marker": look.marker, "markerfacecolor": look.markerfacecolor}
            every = max(1, phase * len(SCHEDULE) // 16)  # a record every second epoch
            figures.curve(
                axes, k, epochs, values, label, **marks, markevery=(k * every // 3, every)
            )
        for k, active in enumerate(SCHEDULE):
            axes.axvline(k * phase, color="0.7", linewidth=0.8, zorder=0)
            place = axes.get_xaxis_transform()
            text = " + ".join(active)
            axes.text(
                (k + 0.5) * phase, 1.0, text, transform=place, ha="center", va="top", fontsize=8
            )
        axes.set_xlabel("epoch")
        axes.set_title(title)
        axes.set_xlim(0, phase * len(SCHEDULE))
    grid[0][0].set_ylabel("neurons of all hidden spaces")
    figures.below(figure, grid[0][0])
    return figure
