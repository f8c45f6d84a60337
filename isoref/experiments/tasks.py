"""Tasks: do hidden spaces grow when tasks come, and shrink when they go?

The published experiment 3: three tasks are switched on one after the other, then two are switched
off, while the controller keeps a buffer of weak neurons in every hidden space. Switched off means
published: the task adds nothing to the loss, and its inputs are 0. Here tasks also really come and
go, with their inputs and outputs, and a network that has one task all the time is the control.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from isoref.data.split import Split
from isoref.experiments.experiment import Experiment, Figure
from isoref.experiments.learning import outputs
from isoref.experiments.tasks_arms import (
    ARMS,
    NAMES,
    SCHEDULE,
    Arm,
    Scheduled,
    sources,
    stacked,
    task,
    tasks_of,
)
from isoref.experiments.tasks_verdict import drawn, verdict
from isoref.network import Network
from isoref.training import AdamW, Controller, Run, train
from isoref.training.events import Rule
from isoref.training.tasks import Tasks, append, block_cross_entropy, parts, remove


def trial(seed: int, s: Scheduled) -> dict[str, Any]:
    """Train a network with every arm on one seed, all from the same widths.

    "widths" are those of the hidden spaces at the end of every phase, "totals" their sum after
    every second epoch, "accuracy" the mean of the active tasks' held-out accuracies at the end of
    every phase; "moved" is the largest change of an output of a task that stays, over the largest
    output, when another comes or goes.
    """
    data = tasks_of(s, seed)
    rng = np.random.default_rng((seed, 3))
    hidden = tuple(int(n) for n in rng.integers(s.narrow, s.wide + 1, size=len(s.hidden)))
    found: dict[str, Any] = {"start": hidden}
    known: dict[Any, _Stand] = {}
    for name, arm in ARMS.items():
        stands: list[_Stand] = []
        for phase in range(len(SCHEDULE)):
            past = arm._replace(schedule=arm.schedule[: phase + 1])
            if past not in known:  # arms with the same past share it
                before = stands[-1] if stands else _born(arm, data, hidden, s, seed)
                known[past] = _phase(past, before, data, s, seed)
            stands.append(known[past])
        found[name] = {
            "widths": [stand.run.net.widths[1:-1] for stand in stands],
            "accuracy": [stand.accuracy for stand in stands],
            "moved": [moved for stand in stands for moved in stand.moved],
            "totals": [sum(record["widths"][1:-1]) for record in stands[-1].run.history[1::2]],
        }
    return found


class _Stand(NamedTuple):
    """Where a run stands after a phase."""

    run: Run[Any]
    tasks: Tasks
    accuracy: float = 0.0
    moved: Sequence[float] = ()


def _rule(arm: Arm, s: Scheduled) -> AdamW:
    return AdamW(rate=s.rate, decay=s.strong if arm.strong else s.decay)


def _born(
    arm: Arm, data: dict[str, Split], hidden: tuple[int, ...], s: Scheduled, seed: int
) -> _Stand:
    """Return the untrained network, with the inputs and outputs of all tasks or of the first."""
    there = arm.schedule[0] if arm.blocks else NAMES
    tasks = Tasks(tuple(task(name, data[name]) for name in there))
    widths = (tasks.widths[0], *hidden, tasks.widths[1])
    net = Network.random(widths, q=s.q, dtype=s.dtype, seed=seed)
    return _Stand(Run(net, _rule(arm, s).start(net)), tasks)


def _phase(past: Arm, before: _Stand, data: dict[str, Split], s: Scheduled, seed: int) -> _Stand:
    """Train through the last phase of `past`."""
    active, (run, tasks, _, _) = past.schedule[-1], before
    moved: list[float] = []
    if past.blocks:
        run, tasks, moved = _retasked(run, tasks, active, data)
    x, labels = stacked(tasks, data, active)
    # As many steps an epoch whatever is active: the samples of few tasks come several times.
    again = np.resize(np.arange(len(x)), sum(len(own.x) for own in data.values()))
    rules: tuple[Rule, ...] = (Controller(s.threshold, s.buffer),) if past.adapts else ()
    run = train(
        run,
        x[again],
        labels[again],
        optimiser=_rule(past, s),
        epochs=s.phase * len(past.schedule),
        batch=s.batch,
        seed=seed,
        loss=partial(block_cross_entropy, tasks=tasks),
        psi_decay=s.psi_decay,
        rules=rules,
        probe=16,
        approximate=True,
    )
    return _Stand(run, tasks, _accuracy(run.net, tasks, data, active), moved)


def _retasked(
    run: Run[Any], tasks: Tasks, active: Sequence[str], data: dict[str, Split]
) -> tuple[Run[Any], Tasks, list[float]]:
    """Let tasks come and go, and measure how far the outputs of those that stay have moved."""
    moved = []
    changes = [name for name in NAMES if (name in active) != (name in tasks.names)]
    for name in changes:
        if name in active:
            net, report = append(run.net, tasks, task(name, data[name]))
        else:
            net, report = remove(run.net, tasks, name)
        stay = [other for other in tasks.names if other in report.tasks.names]
        ys = []
        for each, own in ((run.net, tasks), (net, report.tasks)):
            y = outputs(each, stacked(own, data, stay, held=True)[0])
            ys.append(np.concatenate([parts(own, y)[other] for other in stay], axis=1))
        largest = float(np.abs(ys[0]).max())
        moved.append(float(np.abs(ys[1] - ys[0]).max()) / (largest or 1.0))
        run, tasks = run.edited(net, report), report.tasks
    return run, tasks, moved


def _accuracy(net: Network, tasks: Tasks, data: dict[str, Split], active: Sequence[str]) -> float:
    found = []
    for name in active:
        y = outputs(net, stacked(tasks, data, [name], held=True)[0])
        right = parts(tasks, y)[name].argmax(axis=1) == data[name].held_labels
        found.append(100 * float(right.mean()))
    return float(np.mean(found))


EXPERIMENT = Experiment(
    name="tasks",
    title="Hidden spaces while tasks come and go",
    question=(
        "Task A is trained, then A and B, then A, B and C, then B alone, while the controller "
        "keeps a buffer of singular values at or below its threshold in every hidden space. Do the "
        "spaces grow and shrink with the tasks? What happens in the same epochs to networks that "
        "have A alone, or keep all three, tells how much of it is the tasks and how much is "
        "training. All arms begin with the same widths, drawn at random for each seed. A task is "
        "switched, as in the published code, or it really comes and goes, with its inputs and "
        "outputs."
    ),
    studies={
        "quick": Scheduled(seeds=2, phase=6, hidden=(32, 32), rate=3e-3),
        "default": Scheduled(hidden=(32, 32, 32)),
        "published": Scheduled(
            seeds=25, data="mnist", phase=150, hidden=(1500,) * 3, narrow=500, wide=2500
        ),
    },
    trial=trial,
    verdict=verdict,
    figures={
        "": Figure(
            "Neurons of all hidden spaces while tasks come and go. Bands are one standard error; "
            "the tasks that are on stand at the top, except for the arm with one task.",
            drawn,
        )
    },
    sources=sources,
)
