"""What an experiment is: a question, settings, one trial a seed, and what the numbers say."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np

from isoref.training.run import plain
from isoref.training.settings import is_integer

NDArray = np.ndarray[Any, Any]

Numbers = Mapping[str, Any]
"""What a trial finds: numbers, lists of numbers and mappings of them, by name."""

STUDIES = ("quick", "default", "published")
"""Under two minutes; a study that the digits support; the settings of the paper's code."""

PILOT = 10_000
"""The first seed of pilot trials; trials have seeds below it, so that no seed is used twice."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What every experiment is told; each adds its own.

    Attributes
    ----------
    data : str
        A data set of `isoref.data.NAMES`.
    root : str
        The folder with its files. It changes no number and is no part of the results.
    seeds : int
        How many trials; their seeds are 0, 1, 2, …
    pilots : int
        How many pilot trials, which choose settings on seeds of their own, from `PILOT` on.
    """

    data: str = "digits"
    root: str = field(default=".", metadata={"silent": True})
    seeds: int = field(default=16, metadata={"silent": True})
    pilots: int = 0

    def told(self) -> dict[str, Any]:
        """Return the settings that decide the numbers of a trial, in JSON's types."""
        names = [entry.name for entry in fields(self) if not entry.metadata.get("silent")]
        return dict(plain({name: getattr(self, name) for name in names}))


S = TypeVar("S", bound=Settings)


class Trial(NamedTuple):
    """What the trial of one seed has found."""

    seed: int
    numbers: Numbers


@dataclass(frozen=True)
class Results:
    """All numbers of a study, the only source of its summary and its figures.

    Attributes
    ----------
    experiment, study : str
        Whose numbers they are; `study` is one of `STUDIES`.
    settings : mapping
        With what the pilot has chosen.
    versions : mapping
        Of isoref, NumPy, SciPy and Python.
    trials, pilots : tuple of Trial
        In the order of their seeds.
    """

    experiment: str
    study: str
    settings: Mapping[str, Any]
    versions: Mapping[str, str]
    trials: tuple[Trial, ...]
    pilots: tuple[Trial, ...] = ()

    def values(self, *path: str) -> NDArray:
        """Return what all trials have found under these names, the first axis being the seed.

        Examples
        --------
        >>> trials = (Trial(0, {"loss": {"a": 1.0}}), Trial(1, {"loss": {"a": 3.0}}))
        >>> Results("example", "quick", {}, {}, trials).values("loss", "a")
        array([1., 3.])
        """
        found = []
        for trial in self.trials:
            value: Any = trial.numbers
            for name in path:
                value = value[name]
            found.append(value)
        return np.array(found, dtype=float)

    def names(self, *path: str) -> list[str]:
        """Return the names that stand under these names, in their order."""
        value: Any = self.trials[0].numbers
        for name in path:
            value = value[name]
        return list(value)

    @property
    def n(self) -> int:
        """The number of seeds, which are the units of all statistics."""
        return len(self.trials)


class Finding(NamedTuple):
    """What the numbers say of one statement.

    Attributes
    ----------
    statement : str
        A full sentence: what the paper says, or the question.
    outcome : str
        One of `OUTCOMES`.
    evidence : str
        Full sentences with the numbers.
    """

    statement: str
    outcome: str
    evidence: str


OUTCOMES = ("supported", "partly supported", "not supported", "no clear difference", "open")


class Table(NamedTuple):
    """A table of the summary: a caption, the names of its columns, and its rows."""

    caption: str
    head: Sequence[str]
    rows: Sequence[Sequence[Any]]


class Verdict(NamedTuple):
    """What the summary tells: findings, tables, and remarks on what limits them."""

    findings: Sequence[Finding]
    tables: Sequence[Table] = ()
    remarks: Sequence[str] = ()


class Figure(NamedTuple):
    """A figure: its caption, and what draws it from the results on a matplotlib figure."""

    caption: str
    draw: Callable[[Results], Any]


def _own(settings: Settings) -> Sequence[str]:
    return (settings.data,)


@dataclass(frozen=True)
class Experiment(Generic[S]):
    """One experiment.

    Attributes
    ----------
    name, title : str
        As on the command line, and as a heading.
    question : str
        A paragraph: what is examined, and how.
    studies : mapping
        The settings for each of `STUDIES`.
    trial : callable
        (seed, settings) ↦ numbers. It depends on nothing else, so that any process may compute it.
    verdict : callable
        results ↦ `Verdict`.
    figures : mapping
        By the ending of the file's name, "" for the one that stands for the experiment.
    pilot, choose : callable, optional
        A trial whose results choose settings: (pilot trials, settings) ↦ settings.
    timed : bool
        Whether the numbers are times, which no repetition gives again.
    sources : callable
        settings ↦ names of all data sets that a trial reads.
    """

    name: str
    title: str
    question: str
    studies: Mapping[str, S]
    trial: Callable[[int, S], Numbers]
    verdict: Callable[[Results], Verdict]
    figures: Mapping[str, Figure]
    pilot: Callable[[int, S], Numbers] | None = None
    choose: Callable[[Sequence[Trial], S], S] | None = None
    timed: bool = False
    sources: Callable[[S], Sequence[str]] = _own


def check_seeds(seeds: Any) -> int:
    """Return a number of seeds, or raise unless it is an integer of 2 … `PILOT`."""
    if not is_integer(seeds) or not 2 <= seeds <= PILOT:
        raise ValueError(
            f"seeds must be an integer from 2 to {PILOT}: one seed has no standard error, got "
            f"{seeds!r}"
        )
    return int(seeds)
