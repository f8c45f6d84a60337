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

EDGES = ("fork", "wide", "small", "large", "bare", "faint", "graded")
"""The names of `edges`."""


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

    @property
    def others(self) -> tuple[int, ...]:
        """The hidden spaces by which a class may be named as well."""
        return tuple(s for s in range(1, self.net.depth + 1) if s not in self.spaces)

    @property
    def extreme(self) -> bool:
        """Whether it is one of the `edges`."""
        return self.text in EDGES

    @property
    def special(self) -> bool:
        """Whether it is one of the `edges` by its size alone."""
        return self.extreme and self.text not in ("fork", "wide")


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


def edges(context: Context, profile: Profile, key: str) -> Iterator[Subject]:
    """Yield networks at the ends of what laws hold for.

    "fork" connects the spaces 1, 2 and 4, the last two by way of the first alone, beside one
    neuron. "wide" has more
    neurons and weights than code that works in blocks takes at once. "small" and "large" are
    multiples of one network, "bare" has q = 0 and ψ = 0, and the singular values of "graded" lie
    so far apart that their squares hide the last. "faint" has weights whose squares underflow.
    """
    dtype, with_psi = context.dtype, "psi" not in context.calls.offer.unsupported
    rng = context.rng(key, profile.name, "fork")
    layers = [Layer(**e) for e in _layers(context, rng, ((3, 2), (3, 3), (1, 3), (3, 1), (2, 3)))]
    x = rng.standard_normal((4, 2)).astype(dtype)
    yield Subject("fork", ("skip",), Network(layers, profile, skips=[(1, 2), (1, 4)]), x)
    rng = context.rng(key, profile.name, "wide")
    layers = [Layer(**e) for e in _layers(context, rng, ((70, 2), (66, 70), (2, 66)))]
    yield Subject("wide", (), Network(layers, profile), rng.standard_normal((3, 2)).astype(dtype))
    rng = context.rng(key, profile.name, "edges")
    rows = list(_layers(context, rng, ((4, 3), (5, 4), (2, 5))))
    x = rng.standard_normal((4, 3)).astype(dtype)
    faint = 2.0 ** (-600 if dtype == np.float64 else -80)
    for text, scale in (
        ("small", {"weight": 2.0**-40, "bias": 2.0**-40, "psi": 2.0**-40, "q": 2.0**-80}),
        ("large", {"weight": 2.0**40, "bias": 2.0**40, "psi": 2.0**40, "q": 2.0**80}),
        ("bare", {"psi": 0.0, "q": 0.0}),
        ("faint", {"weight": faint, "psi": faint}),
    ):
        kinds = [{n: v * v.dtype.type(scale.get(n, 1.0)) for n, v in e.items()} for e in rows]
        yield Subject(text, (), Network([Layer(**e) for e in kinds], profile), x)
    joint = [np.column_stack([e["weight"], e.get("psi", e["bias"])]) for e in rows]
    ratio = 1e-4 if dtype == np.float64 else 1e-2
    for entries, matrix in zip(rows, joint, strict=True):
        columns = entries["weight"].shape[1] + (with_psi and "psi" in entries)
        u, values, v = np.linalg.svd(matrix[:, :columns].astype(np.float64), full_matrices=False)
        graded = ((u * ratio ** np.arange(len(values))) @ v).astype(dtype)
        entries["weight"] = np.ascontiguousarray(graded[:, : entries["weight"].shape[1]])
        if with_psi and "psi" in entries:
            entries["psi"] = np.ascontiguousarray(graded[:, -1])
    yield Subject("graded", (), Network([Layer(**e) for e in rows], profile), x)


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

    What depends on parameters alone needs one profile, and so do `edges`. The trials of `judge`,
    vectors of the same law, come first.
    """

    def trials(context: Context) -> Iterator[Trial]:
        if judge is not None:
            yield from judge.trials(context)
        for k, profile in enumerate(sorted(context.profiles, key=_spare)[:profiles]):
            ends = () if k else edges(context, profile, id)
            for subject in (*subjects(context, profile, id), *ends):
                for name, features, run in cases(context, subject):
                    text = f"{profile.name}.{subject.text}.{name}"
                    needed = (*subject.features, *features)
                    yield Trial(text, profile.name, needed, partial(_called, run))

    return Check(id, clause, law, methods, needs, trials)


def _spare(profile: Profile) -> bool:
    return profile.name in SPARE


def _called(run: Callable[[], Verdict], context: Context) -> Verdict:
    return run()
