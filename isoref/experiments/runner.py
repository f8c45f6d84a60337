"""Runs trials in parallel, keeps each as soon as it is done, and goes on where a run was stopped.

    conduct(…, jobs=1) == conduct(…, jobs=k) == conduct(…, executor=any) == a resumed run

One file a finished trial, written in one step by this process alone: a run that is killed, or finds
the disk full, loses the trials under way and nothing else.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import platform
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from multiprocessing.synchronize import Event
from typing import Any, TextIO

import numpy as np
import scipy

import isoref
from isoref.experiments import experiment as named
from isoref.experiments.experiment import PILOT, Experiment, Results, Settings, Trial, check_seeds
from isoref.experiments.progress import Progress
from isoref.files import disk
from isoref.files.lock import locked
from isoref.training.run import plain
from isoref.training.settings import is_integer

THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
"""Each process computes with one thread: several would share its cores and change its roundings."""

LIMIT = 2**26
"""Most bytes of a trial's file."""


def conduct(
    experiment: Experiment[Any],
    study: str,
    settings: Settings,
    directory: str,
    *,
    executor: Executor | None = None,
    jobs: int = 1,
    stream: TextIO | None = None,
) -> Results:
    """Return the results of a study, from the files of finished trials and from new trials.

    Parameters
    ----------
    experiment : Experiment
    study : str
        One of `STUDIES`: what the results are called.
    settings : Settings
        Those of the experiment.
    directory : str
        Made if it is not there; trials are kept in its folder trials.
    executor : Executor, optional
        Where trials are computed, for example of a cluster; it is left open. By default processes
        of this machine, each with one thread for matrix products. Numbers are the same for every
        executor whose workers have the same libraries and number of threads.
    jobs : int
        How many processes, without an executor.
    stream : text stream, optional
        Where a line tells the progress, if it is a terminal.

    Raises
    ------
    ValueError
        When arguments are out of range, or the directory has trials of another study.
    LockError, OSError
        When another process works there, or the directory cannot be written.
    """
    check_seeds(settings.seeds)
    if not is_integer(jobs) or not 1 <= jobs <= 1024:
        raise ValueError(f"jobs must be an integer from 1 to 1024, got {jobs!r}")
    folder = os.path.join(directory, "trials")
    os.makedirs(folder, exist_ok=True)
    with ExitStack() as stack:
        stack.enter_context(locked(directory))
        pool = executor or stack.enter_context(processes(jobs))
        pilots: tuple[Trial, ...] = ()
        if experiment.pilot is not None and experiment.choose is not None and settings.pilots:
            seeds = range(PILOT, PILOT + settings.pilots)
            pilots = _trials(experiment.name, settings, seeds, folder, pool, stream)
            settings = experiment.choose(pilots, settings)
        seeds = range(settings.seeds)
        trials = _trials(experiment.name, settings, seeds, folder, pool, stream)
    return Results(experiment.name, study, settings.told(), versions(), trials, pilots)


def trial(name: str, seed: int, settings: Settings) -> dict[str, Any]:
    """Return the numbers of one trial, in JSON's types; what executors are given.

    Examples
    --------
    >>> sorted(trial("certificates", 0, named("certificates").studies["quick"]))[:1]
    ['accuracy']
    """
    chosen = named(name)
    compute = chosen.pilot if seed >= PILOT else chosen.trial
    assert compute is not None
    return dict(plain(compute(seed, settings)))


def versions() -> dict[str, str]:
    """Return what numbers may depend on."""
    return {
        "isoref": isoref.__version__,
        "numpy": np.__version__,
        "scipy": scipy.__version__,
        "python": platform.python_version(),
    }


@contextmanager
def processes(jobs: int) -> Iterator[Executor]:
    """Give an executor of processes with one thread each, which end with this one however it ends.

    Processes are started afresh, not forked: they read the number of threads when NumPy is loaded.
    """
    before = {name: os.environ.get(name) for name in THREADS}
    os.environ.update(dict.fromkeys(THREADS, "1"))
    context = multiprocessing.get_context("spawn")
    stop = context.Event()
    pool = ProcessPoolExecutor(jobs, context, initializer=_worker, initargs=(stop,))
    try:
        yield pool
    except BaseException:
        stop.set()  # nobody waits for trials whose numbers nobody wants
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


def _worker(stop: Event) -> None:
    """Leave interrupts to the parent, and end at once when it does, or says so."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent is not None

    def follow(ended: Callable[[], Any]) -> None:
        ended()
        os._exit(1)

    for ended in (parent.join, stop.wait):
        threading.Thread(target=follow, args=(ended,), daemon=True).start()


def _trials(
    name: str,
    settings: Settings,
    seeds: Sequence[int],
    folder: str,
    pool: Executor,
    stream: TextIO | None,
) -> tuple[Trial, ...]:
    """Return the trials of these seeds, those of files first."""
    mark = {"experiment": name, "settings": settings.told(), "versions": versions()}
    paths = {seed: os.path.join(folder, f"{seed:05}.json") for seed in seeds}
    found = {seed: _kept(path, mark) for seed, path in paths.items() if os.path.exists(path)}
    missing = [seed for seed in seeds if seed not in found]
    waiting: dict[Future[Any], int] = {
        pool.submit(trial, name, seed, settings): seed for seed in missing
    }
    progress = Progress(stream, name, len(found), len(seeds))
    try:
        for future in _finished(waiting, progress):
            seed = waiting[future]
            numbers = _numbers(future, name, seed)
            disk.write(paths[seed], encoded({**mark, "seed": seed, "numbers": numbers}))
            found[seed] = numbers
            progress.done += 1
    finally:
        for future in waiting:
            future.cancel()
        progress.show(end=True)
    return tuple(Trial(seed, found[seed]) for seed in seeds)


def _finished(waiting: Iterable[Future[Any]], progress: Progress) -> Iterator[Future[Any]]:
    """Yield futures as they are done, failures last, and show the progress meanwhile."""
    left = set(waiting)
    while left:
        progress.show()
        done, left = wait(left, progress.pause, return_when=FIRST_COMPLETED)
        yield from sorted(done, key=_failed)  # what is finished is kept before anything is raised


def _failed(future: Future[Any]) -> bool:
    return future.cancelled() or future.exception() is not None


def _numbers(future: Future[Any], name: str, seed: int) -> Any:
    try:
        # As they are after a file: a run that resumes must not differ from one that does not.
        return json.loads(json.dumps(future.result()))
    except BrokenProcessPool as error:
        raise OSError(
            f"a process that computed {name} ended unexpectedly, perhaps for want of memory; "
            "finished trials are kept: run it again, with fewer --jobs"
        ) from error
    except Exception as error:
        error.add_note(f"It was the trial of seed {seed} of {name}; finished trials are kept.")
        raise


def _kept(path: str, mark: dict[str, Any]) -> Any:
    """Return the numbers of a finished trial; raise if it is another study's."""
    try:
        content = json.loads(disk.read(path, LIMIT))
        there = {key: content[key] for key in mark}
        numbers = content["numbers"]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} must be the file of a trial ({error}); remove it") from error
    if there != mark:
        raise ValueError(
            f"{path} is a trial of another study: {_difference(there, mark)}; choose another "
            "--out, or remove the folder trials"
        )
    return numbers


def _difference(there: Any, here: Any, name: str = "") -> str:
    """Return the first entry in which two marks differ, in words."""
    if isinstance(there, dict) and isinstance(here, dict):
        for key in (*here, *there):
            if there.get(key) != here.get(key):
                return _difference(there.get(key), here.get(key), str(key))
    return f"{name} is {there!r} there and {here!r} here"


def encoded(content: Any) -> bytes:
    """Return the bytes of a JSON file: the same for the same content."""
    return (json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()


def settled(
    settings: Settings, *, data: str | None, root: str | None, seeds: int | None
) -> Settings:
    """Return the settings with what the command line has given."""
    given: dict[str, Any] = {"data": data, "root": root, "seeds": seeds}
    return replace(settings, **{name: value for name, value in given.items() if value is not None})
