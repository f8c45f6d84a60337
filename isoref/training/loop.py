"""The training loop: mini-batches from a seed, one optimiser step each, edits between them.

The laws, on one machine, library and thread count, byte for byte:

    train(train(net, …, epochs=k), …, epochs=n) == train(net, …, epochs=n)    constant rate
    a run that was killed and resumed           == one that was not
    a run with its log in place of its rules    == the run itself
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import Any

import numpy as np

from isoref.training.arguments import (
    check_counts,
    check_data,
    check_helpers,
    check_rules,
    checked_factor,
    started,
)
from isoref.training.checkpoints import Checkpoints, fingerprint
from isoref.training.divergence import Diverged
from isoref.training.events import Event, Rule, When
from isoref.training.losses import cross_entropy
from isoref.training.optimiser import Optimiser
from isoref.training.passes import Loss
from isoref.training.progress import Progress
from isoref.training.rates import Constant, Schedule
from isoref.training.run import N, Run, joined
from isoref.training.state import transport
from isoref.training.work import Work

NDArray = np.ndarray[Any, Any]

Callback = Callable[[Run[Any]], Mapping[str, Any] | None]
"""Called after each epoch; what it returns joins the record of the epoch."""


def train(
    start: N | Run[N],
    x: NDArray,
    labels: NDArray,
    *,
    optimiser: Optimiser,
    epochs: int,
    batch: int,
    seed: int,
    loss: Loss = cross_entropy,
    schedule: Schedule | None = None,
    psi_decay: float = 0.0,
    rules: tuple[Rule, ...] = (),
    edit_every: int | None = None,
    probe: int = 64,
    approximate: bool = False,
    callbacks: tuple[Callback, ...] = (),
    checkpoints: Checkpoints | None = None,
    progress: bool = False,
) -> Run[N]:
    """Train until `epochs` passes over (x, labels) are complete, and return the run.

    The order of the samples in epoch e is drawn from (seed, e) alone.

    Parameters
    ----------
    start : Network, Elementwise or Run
        Where to begin, or a run to go on with, edited or on other data if wanted.
    x : array of shape (N, n_0)
        NumPy, in the dtype of the network.
    labels : array of shape (N, …)
        What the loss compares outputs with.
    optimiser : Optimiser
        The rule of the steps.
    epochs : int
        Epochs that the run shall have in all.
    batch : int
        Samples a step; the last of an epoch may have fewer.
    seed : int
        Not negative: of the order of the samples, and of the rules.
    loss : callable
        (y, labels) ↦ (loss, ȳ); `cross_entropy` unless given.
    schedule : Schedule, optional
        (step, total number of steps) ↦ factor of the rate.
    psi_decay : float
        c ≥ 0: c Σ ψ² joins the loss.
    rules : tuple of Rule
        They may edit the network after each epoch, in this order; the optimiser's state follows.
    edit_every : int, optional
        Ask the rules after every so many steps instead.
    probe : int
        Number of samples, evenly spaced over x, on which certificates of edits hold.
    approximate : bool
        Where an edit rotates and the optimiser's state cannot follow: approximate it, as
        `transport` says, instead of refusing.
    callbacks : tuple of callable
        Each gets the run after each epoch and may return entries for its record.
    checkpoints : Checkpoints, optional
        Where and how often to save the run, and whether to resume from there.
    progress : bool
        Show loss, accuracy and widths on standard error, if it is a terminal.

    Returns
    -------
    Run
        With the network, the optimiser's state, the history and the events.

    Raises
    ------
    TypeError, ValueError
        When an argument is out of range or does not fit.
    TransportError
        When an edit moves the network where the optimiser's state cannot follow.
    Diverged
        When the loss stops being finite. The last checkpoint stays.

    Examples
    --------
    >>> from isoref import Network
    >>> from isoref.data import load_digits, split, standardise
    >>> from isoref.training import SGD
    >>> parts = standardise(split(*load_digits(), seed=0))
    >>> net = Network.random((64, 16, 10), seed=0)
    >>> run = train(net, parts.x, parts.labels, optimiser=SGD(rate=0.1), epochs=2, batch=64, seed=0)
    >>> run.net.widths, run.state.steps, run.history[1]["loss"] < run.history[0]["loss"]
    ((64, 16, 10), 46, True)
    """
    run = started(start, optimiser)
    schedule = Constant() if schedule is None else schedule
    counts = {"epochs": epochs, "batch": batch, "probe": probe, "edit_every": edit_every}
    check_counts(counts, seed, psi_decay)
    check_data(run, x, labels, batch)
    check_helpers(schedule, callbacks, checkpoints)
    check_rules(rules, run.net, optimiser, approximate)
    chosen = np.arange(min(probe, len(x))) * len(x) // min(probe, len(x))
    with ExitStack() as stack:
        store = None
        if checkpoints is not None:
            mark = fingerprint(
                run,
                x,
                labels,
                optimiser=optimiser,
                batch=batch,
                seed=seed,
                loss=loss,
                schedule=schedule,
                epochs=None if isinstance(schedule, Constant) else epochs,
                psi_decay=psi_decay,
                rules=tuple(rules),
                edit_every=edit_every,
                probe=probe,
                approximate=approximate,
            )
            store = stack.enter_context(checkpoints.opened(run, mark))
            run = store.run
        work = Work(run, optimiser, loss, psi_decay, x, labels, batch, seed)
        line = stack.enter_context(Progress(epochs, progress))
        total = epochs * work.per_epoch
        try:
            while work.epoch < epochs:
                factor = checked_factor(schedule, work.steps, total)
                work.step(factor)
                ended = work.within == 0
                if ended if edit_every is None else work.steps % edit_every == 0:
                    _edit(work, rules, x[chosen], seed, approximate)
                if ended:
                    record = work.record(factor * optimiser.rate)
                    now = work.run()
                    for callback in callbacks:
                        record = joined(record, callback(now))
                    work.history.append(record)
                    line.show(record)
                if store is not None and store.due(work.steps, ended):
                    store.write(work.run())
            return work.run()
        except Diverged as error:
            if store is not None and os.path.exists(store.path):
                error.add_note(f"The last checkpoint, {store.path}, is as it was.")
            raise


def _edit(
    work: Work, rules: tuple[Rule, ...], inputs: NDArray, seed: int, approximate: bool
) -> None:
    """Ask the rules, one after the other, and let the state follow what they do."""
    for rule in rules:
        moment = np.random.SeedSequence((seed, work.steps, *rule.name.encode()))
        own = int(moment.generate_state(1)[0])
        when = When(work.epoch, work.steps, inputs, own, tuple(work.events))
        before = work.net()
        found = rule.edit(before, when)
        if found is not None:
            after, report = found
            state = transport(work.state(), report.edits, approximate=approximate)
            work.edited(after, state, Event.of(rule.name, when, before, after, report))
