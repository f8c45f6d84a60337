"""The networks that laws of edits and steps are tried on: dense, of convolutions, with skips."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from isoref.conformance.judge import Verdict
from isoref.conformance.plan import Check, Context, Trial
from isoref.layer import Layer
from isoref.network import Network
from isoref.profiles import Profile

NDArray = np.ndarray[Any, Any]
Run = tuple[str, tuple[str, ...], Callable[[], Verdict]]
"""The name of a case, the features that it needs beyond those of its network, and the case."""

SPARE = ("identity", "unit")
"""Profiles that hide or exclude nothing that another does not show: tried last."""


class Subject(NamedTuple):
    """A network with biases, ψ and q > 0, inputs, and the features that it has."""

    text: str
    features: tuple[str, ...]
    net: Network
    x: NDArray

    @property
    def spaces(self) -> tuple[int, ...]:
        """The hidden spaces, of each class that skips connect the last: vectors name the first."""
        hidden = range(1, self.net.depth + 1)
        return tuple(s for s in hidden if self.net.members(s)[-1] == s)


def subjects(context: Context, profile: Profile, key: str) -> Iterator[Subject]:
    """Yield dense networks, two of convolutions, three with skips.

    "around" connects the spaces 1 and 3, beside 2. The "chain" leads from space 1 to 2 to 4 to 5,
    and from 1 to 4: each pair of the class is connected, not all of them directly.

    Examples
    --------
    >>> from isoref.conformance.adapters.reference import Adapter
    >>> from isoref.conformance.adapter import offer
    >>> from isoref.conformance.calls import Calls
    >>> from isoref.conformance.vectors import Corpus
    >>> from isoref.profiles import tanh
    >>> from isoref.tolerance import FLOAT64
    >>> context = Context(Calls(offer(Adapter)), FLOAT64, Corpus("", ()))
    >>> [subject.text for subject in subjects(context, tanh, "x")]
    ['3-4-2', '4-3-3-2', '2-6-5-3', 'convolution', 'plane', 'skip', 'around', 'chain']
    """
    for text, net, x in context.networks(profile, key):
        yield Subject(text, (), net, x)
    rng = context.rng(key, profile.name, "convolution")
    images = _layers(context, rng, ((4, 2, 3), (3, 4, 2), (2, 3, 1)))
    reading: tuple[dict[str, int], ...] = ({"padding": 1}, {"stride": 2}, {"pool": 0})
    layers = [Layer(**entries, **how) for entries, how in zip(images, reading, strict=True)]
    x = rng.standard_normal((3, 2, 5)).astype(context.dtype)
    yield Subject("convolution", ("convolution",), Network(layers, profile), x)
    rng = context.rng(key, profile.name, "plane")
    images = _layers(context, rng, ((3, 2, 2, 3), (3, 3, 2, 2), (2, 3, 2, 1)))
    reading = ({"stride": 2, "padding": 2, "dilation": 2}, {"pool": 2, "stride": 2, "padding": 1})
    layers = [Layer(**entries, **how) for entries, how in zip(images, (*reading, {}), strict=True)]
    x = rng.standard_normal((3, 2, 5, 8)).astype(context.dtype)
    yield Subject("plane", ("convolution",), Network(layers, profile), x)
    rng = context.rng(key, profile.name, "skip")
    layers = [Layer(**e) for e in _layers(context, rng, ((3, 2), (3, 3), (4, 3), (2, 4)))]
    x = rng.standard_normal((5, 2)).astype(context.dtype)
    yield Subject("skip", ("skip",), Network(layers, profile, skips=[(1, 2)]), x)
    rng = context.rng(key, profile.name, "around")
    layers = [Layer(**e) for e in _layers(context, rng, ((4, 3), (2, 4), (4, 2), (2, 4)))]
    x = rng.standard_normal((5, 3)).astype(context.dtype)
    yield Subject("around", ("skip",), Network(layers, profile, skips=[(1, 3)]), x)
    rng = context.rng(key, profile.name, "chain")
    shapes = ((3, 2), (3, 3), (4, 3), (3, 4), (3, 3), (2, 3))
    layers = [Layer(**entries) for entries in _layers(context, rng, shapes)]
    x = rng.standard_normal((4, 2)).astype(context.dtype)
    skips = [(1, 2), (1, 4), (2, 4), (4, 5)]
    yield Subject("chain", ("skip",), Network(layers, profile, skips=skips), x)


def _layers(
    context: Context, rng: np.random.Generator, shapes: tuple[tuple[int, ...], ...]
) -> Iterator[dict[str, Any]]:
    """Yield W, b, ψ and q of layers with these weights; ψ is zero where it is not offered."""
    gained = 0.0 if "psi" in context.calls.offer.unsupported else 0.4
    for i, (rows, columns, *kernel) in enumerate(shapes):
        scale = 1 / np.sqrt(columns * np.prod(kernel))
        entries: dict[str, Any] = {
            "weight": scale * rng.standard_normal((rows, columns, *kernel)),
            "bias": 0.4 * rng.standard_normal(rows),
        }
        if i > 0:
            entries["psi"] = gained * rng.standard_normal((rows, *kernel))
        if i < len(shapes) - 1:
            entries["q"] = np.asarray(0.25)
        yield {name: value.astype(context.dtype) for name, value in entries.items()}


def of_subjects(
    id: str,
    clause: str,
    law: str,
    methods: tuple[str, ...],
    cases: Callable[[Context, Subject], Iterable[Run]],
    needs: tuple[str, ...] = (),
    *,
    profiles: int | None = None,
    judge: Check | None = None,
) -> Check:
    """Return the check of a law on `subjects` of every claimed profile, or of the first few.

    What depends on parameters alone needs one profile. The trials of `judge`, vectors of the same
    law, come first.
    """

    def trials(context: Context) -> Iterator[Trial]:
        if judge is not None:
            yield from judge.trials(context)
        for profile in sorted(context.profiles, key=_spare)[:profiles]:
            for subject in subjects(context, profile, id):
                for name, features, run in cases(context, subject):
                    text = f"{profile.name}.{subject.text}.{name}"
                    needed = (*subject.features, *features)
                    yield Trial(text, profile.name, needed, partial(_called, run))

    return Check(id, clause, law, methods, needs, trials)


def _spare(profile: Profile) -> bool:
    return profile.name in SPARE


def _called(run: Callable[[], Verdict], context: Context) -> Verdict:
    return run()
