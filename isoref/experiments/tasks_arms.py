"""What the experiment on tasks compares: its tasks, its schedules and its arms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from isoref.data import read, standardise
from isoref.data.split import Split
from isoref.experiments.learning import Learning
from isoref.experiments.learning import samples as samples_of
from isoref.training.tasks import ABSENT, Task, Tasks, assemble

NDArray = np.ndarray[Any, Any]

NAMES = ("A", "B", "C")
SCHEDULE = (("A",), ("A", "B"), ("A", "B", "C"), ("B",))
"""The published one: the tasks that are on in each phase."""
STAY = (*SCHEDULE[:3], SCHEDULE[2])
"""The control of the last phase: nothing is switched off."""
ALONE = (("A",),) * len(SCHEDULE)
"""The control of the second and the third: nothing is switched on."""
PUBLISHED = ("mnist", "fashion-mnist", "emnist-letters")


@dataclass(frozen=True, kw_only=True)
class Scheduled(Learning):
    """Settings.

    Attributes
    ----------
    phase : int
        Epochs of each of the four phases.
    threshold, buffer : numbers
        ϑ and k of the controller.
    narrow, wide : int
        Hidden spaces begin with widths drawn between these.
    strong : float
        A weight decay that forgets faster than the published one.
    """

    phase: int = 40
    threshold: float = 0.95
    buffer: int = 5
    narrow: int = 10
    wide: int = 60
    strong: float = 0.1


class Arm(NamedTuple):
    """How a network is trained: its phases, and what happens at their ends."""

    schedule: tuple[tuple[str, ...], ...]
    strong: bool = False
    blocks: bool = False
    adapts: bool = True


ARMS = {
    "switched on and off": Arm(SCHEDULE),
    "switched on, all stay": Arm(STAY),
    "one task": Arm(ALONE),
    "come and go": Arm(SCHEDULE, blocks=True),
    "come, all stay": Arm(STAY, blocks=True),
    "one task, its own inputs": Arm(ALONE, blocks=True),
    "switched on and off, strong decay": Arm(SCHEDULE, strong=True),
    "switched on, all stay, strong decay": Arm(STAY, strong=True),
    "one task, strong decay": Arm(ALONE, strong=True),
    "fixed widths": Arm(SCHEDULE, adapts=False),
}


def sources(s: Scheduled) -> tuple[str, ...]:
    """Return the names of the data sets that make the tasks."""
    return PUBLISHED if s.data == PUBLISHED[0] else (s.data,)


def tasks_of(s: Scheduled, seed: int) -> dict[str, Split]:
    """Return the samples of each task, whose labels begin at 0.

    From MNIST, all three data sets are read, and letters A to J; any other data set makes three
    tasks of its classes.
    """
    if s.data != PUBLISHED[0]:
        whole = samples_of(s, seed)
        edges = np.linspace(0, whole.classes, len(NAMES) + 1).round().astype(int)
        return {
            name: _classes(Split(*whole[:4]), int(first), int(last))
            for name, first, last in zip(NAMES, edges, edges[1:], strict=False)
        }
    found = {}
    for name, data in zip(NAMES, sources(s), strict=True):
        found[name] = _classes(standardise(read(data, s.root, seed=0), s.dtype), 0, 10)
    return found


def _classes(whole: Split, first: int, last: int) -> Split:
    kept = [(labels >= first) & (labels < last) for labels in (whole.labels, whole.held_labels)]
    return Split(
        whole.x[kept[0]],
        whole.labels[kept[0]] - first,
        whole.held_x[kept[1]],
        whole.held_labels[kept[1]] - first,
    )


def task(name: str, own: Split) -> Task:
    """Return the sizes of a task, or raise a ValueError if it has no samples."""
    if not (len(own.x) and len(own.held_x)):
        raise ValueError(
            f"task {name} must have training and held-out samples, got {len(own.x)} and "
            f"{len(own.held_x)}; take a data set with samples of all classes"
        )
    return Task(name, own.x.shape[1], 1 + int(max(own.labels.max(), own.held_labels.max())))


def stacked(
    tasks: Tasks, data: dict[str, Split], active: Sequence[str], held: bool = False
) -> tuple[NDArray, NDArray]:
    """Return the samples of the active tasks, one after another, for a network with `tasks`."""
    xs, all_labels = [], []
    for name in active:
        own = data[name]
        x, labels = (own.held_x, own.held_labels) if held else (own.x, own.labels)
        xs.append(assemble(tasks, {name: x}))
        column = np.full((len(x), len(tasks.order)), ABSENT)
        column[:, tasks.names.index(name)] = labels
        all_labels.append(column)
    return np.concatenate(xs), np.concatenate(all_labels)
