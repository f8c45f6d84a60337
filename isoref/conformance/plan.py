"""What is tested: checks, each with its trials, and what each needs to hold first.

A check is one sentence of the specification; a trial of it is one case, which ends in a verdict.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from isoref.conformance.calls import Calls
from isoref.conformance.judge import UNOBSERVABLE, Verdict, judged
from isoref.conformance.numerics import limit
from isoref.conformance.precision import Precision
from isoref.conformance.vectors import Case, Corpus
from isoref.network import Network, Tangent
from isoref.profiles import Profile, named
from isoref.rounding import Arithmetic

NDArray = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Context:
    """What every trial sees: the implementation, its arithmetic, the vectors, a seed."""

    calls: Calls
    arithmetic: Arithmetic
    corpus: Corpus
    seed: int = 0
    precision: tuple[Precision, ...] = ()

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of arrays."""
        return self.calls.offer.numerics.dtype

    @cached_property
    def profiles(self) -> tuple[Profile, ...]:
        """The profiles that are claimed."""
        return tuple(
            named("relu(tau=0.5)" if name == "relu" else name) for name in self.calls.offer.profiles
        )

    def judge(self, case: Case, name: str, got: NDArray) -> Verdict:
        """Judge a result against the expected value of a case, by its gauges."""
        want = case.expected[name]
        if not case.observable(name, self.arithmetic):
            return UNOBSERVABLE
        return judged(name, got, want.value, limit(want.gauges, self.arithmetic))

    def rng(self, *key: str) -> np.random.Generator:
        """Return a generator of its own for every law and profile."""
        words = [int.from_bytes(word.encode()) % 2**32 for word in key]
        return np.random.default_rng((self.seed, *words))

    def networks(self, profile: Profile, key: str) -> Iterator[tuple[str, Network, NDArray]]:
        """Yield small networks with q > 0, biases and ψ, and inputs: narrow, deep and wide ones."""
        for widths in ((3, 4, 2), (4, 3, 3, 2), (2, 6, 5, 3)):
            text = "-".join(map(str, widths))
            rng = self.rng(key, profile.name, text)
            net = Network.random(widths, profile=profile, q=0.25, dtype=str(self.dtype), seed=rng)
            net = net + _moved(net, rng, "psi" not in self.calls.offer.unsupported)
            yield text, net, rng.standard_normal((5, widths[0])).astype(self.dtype)


def _moved(net: Network, rng: np.random.Generator, with_psi: bool) -> Any:
    """Return a tangent of biases, and of ψ if that is offered."""
    zero = Tangent.zeros(net)
    drawn = 0.4 * Tangent.random(net, seed=rng)
    layers = []
    for blank, layer in zip(zero.layers, drawn.layers, strict=True):
        psi = layer.psi if with_psi else blank.psi
        layers.append(replace(blank, bias=layer.bias, psi=psi))
    return zero.rebuilt(layers)


class Trial(NamedTuple):
    """One case of a check.

    `case` ends its id; `features` are those that the implementation may lack; `run` makes the
    calls and judges; `note` says what the case is for.
    """

    case: str
    profile: str
    features: tuple[str, ...]
    run: Callable[[Context], Verdict]
    note: str = ""


@dataclass(frozen=True)
class Check:
    """One law.

    Attributes
    ----------
    id : str
        Permanent: its level and its name.
    clause : str
        Of the specification.
    law : str
        In a sentence.
    methods : tuple of str
        What it calls.
    needs : tuple of str
        Checks that must not have failed for the same profile: else this one is BLOCKED.
    trials : callable
        Context ↦ trials.
    """

    id: str
    clause: str
    law: str
    methods: tuple[str, ...]
    needs: tuple[str, ...]
    trials: Callable[[Context], Iterable[Trial]]

    @property
    def level(self) -> int:
        """1 … 6."""
        return int(self.id[1])


def of_vectors(
    id: str,
    clause: str,
    law: str,
    methods: tuple[str, ...],
    judge: Callable[[Context, Case], Verdict],
    needs: tuple[str, ...] = (),
) -> Check:
    """Return the check of the vectors of this id, each judged by `judge`."""

    def trials(context: Context) -> Iterator[Trial]:
        for case in context.corpus.cases.get(id, ()):
            if case.fits(context.dtype):
                run = _bound(judge, case)
                name = case.id.removeprefix(f"{id}.")
                yield Trial(name, case.profile.name, case.features, run, case.note)

    return Check(id, clause, law, methods, needs, trials)


def of_law(
    id: str,
    clause: str,
    law: str,
    methods: tuple[str, ...],
    cases: Callable[[Context, Profile], Iterable[tuple[str, Callable[[], Verdict]]]],
    needs: tuple[str, ...] = (),
    features: tuple[str, ...] = (),
) -> Check:
    """Return the check of a law, tried with every claimed profile: cases yields (name, run)."""

    def trials(context: Context) -> Iterator[Trial]:
        for profile in context.profiles:
            for name, run in cases(context, profile):
                yield Trial(f"{profile.name}.{name}", profile.name, features, _called(run))

    return Check(id, clause, law, methods, needs, trials)


def _bound(judge: Callable[[Context, Case], Verdict], case: Case) -> Callable[[Context], Verdict]:
    return lambda context: judge(context, case)


def _called(run: Callable[[], Verdict]) -> Callable[[Context], Verdict]:
    return lambda context: run()
