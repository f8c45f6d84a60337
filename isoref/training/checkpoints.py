"""Checkpoints: a run on disk, written in one step, that `train` goes on from as if never stopped.

    DIR/checkpoint.npz     network, optimiser's state, position, history and events
    DIR/event-<n>.npz      the edits of event n, n = 0, 1, …, as `load_edits` reads them

Events come first, so that a checkpoint never names one that is missing. One process at a time.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from glob import escape as glob_escape
from glob import glob
from hashlib import sha256
from types import FunctionType
from typing import Any

import numpy as np

from isoref.control import Elementwise
from isoref.edits import Edit
from isoref.files import LIMIT, disk, load_edits, records, save_edits
from isoref.files.content import NDArray, host_arrays, layers
from isoref.files.description import (
    Description,
    check_convolutions,
    check_structure,
    checked_skips,
    convolutions,
)
from isoref.files.failure import FileError
from isoref.files.lock import locked
from isoref.network import Network, Tangent
from isoref.structure import Structured
from isoref.training.events import Event
from isoref.training.run import Run
from isoref.training.state import State

FORMAT = "isoref-checkpoint"
VERSION = 2
"""The newest; a network without kernels is version 1, as network files are."""

NAME = "checkpoint.npz"

Mark = Mapping[str, str]
"""What identifies a run: its settings, its data and its start, by name."""


@dataclass(frozen=True)
class Checkpoints:
    """Where a run is saved, how often, and whether to go on from what is there.

    Parameters
    ----------
    directory : str or os.PathLike
        It exists, and belongs to this run alone.
    every : int, optional
        Save after every so many steps, and after each epoch; without it after each epoch.
    resume : bool
        Go on from the checkpoint in the directory, if there is one; False refuses to overwrite it.

    Raises
    ------
    ValueError
        When `every` is not positive.
    """

    directory: str | os.PathLike[str]
    every: int | None = None
    resume: bool = False

    def __post_init__(self) -> None:
        if self.every is not None and (type(self.every) is not int or self.every < 1):
            raise ValueError(f"every must be a positive number of steps, got {self.every!r}")

    @contextmanager
    def opened(self, start: Run[Any], mark: Mark) -> Iterator[Store]:
        """Lock the directory while the run it holds, or `start`, goes on.

        Raises
        ------
        FileExistsError
            When there is a checkpoint and `resume` is False.
        FileError
            When the checkpoint is damaged, of another version, or of another run.
        OSError
            When another process has the directory, or it cannot be read.
        """
        with locked(self.directory):
            store = Store(disk.spelled(self.directory), self.every, mark, start)
            for left in glob(os.path.join(glob_escape(store.directory), ".isoref-*.tmp")):
                os.unlink(left)  # of a process that was killed while it wrote
            if os.path.exists(store.path):
                if not self.resume:
                    raise FileExistsError(
                        f"{store.path}: a checkpoint is there already; resume from it, or choose "
                        "another directory"
                    )
                store.run = read_checkpoint(self.directory, mark)
                store.events = len(store.run.events)
            yield store


class Store:
    """A directory that this process alone writes; `run` is where to begin."""

    def __init__(self, directory: str, every: int | None, mark: Mark, run: Run[Any]) -> None:
        self.directory, self.every, self.mark, self.run = directory, every, mark, run
        self.path = os.path.join(directory, NAME)
        self.events = 0  # number of those on disk

    def due(self, steps: int, ended: bool) -> bool:
        """Tell whether to save after `steps` steps, which may have ended an epoch."""
        return ended or (self.every is not None and steps % self.every == 0)

    def write(self, run: Run[Any]) -> None:
        """Save `run`; when anything fails or interrupts, the old checkpoint is as it was."""
        for number in range(self.events, len(run.events)):
            save_edits(run.events[number].edits, _event(self.directory, number))
        self.events = len(run.events)
        found = {f"net.{name}": array for name, array in host_arrays(run.net).items()}
        for moment, tree in run.state.moments.items():
            found |= {f"{moment}.{name}": array for name, array in host_arrays(tree).items()}
        found["history"] = _text(list(run.history))
        sums = [_checksum(self.directory, number) for number in range(self.events)]
        logged = zip(run.events, sums, strict=True)
        found["events"] = _text([event.record() | {"sha256": own} for event, own in logged])
        elementwise = isinstance(run.net, Elementwise)
        told = convolutions(run.net)
        kinds = [
            la.weight.kind if isinstance(la.weight, Structured) else None for la in run.net.layers
        ]
        meta = {
            "mark": dict(self.mark),
            "elementwise": elementwise,
            "profile": run.net.function if elementwise else run.net.profile.name,
            "widths": run.net.widths,
            "structure": kinds,
            "moments": list(run.state.moments),
            "squares": sorted(run.state.squares),
            "steps": run.state.steps,
            "epoch": run.epoch,
            "within": run.within,
            "loss": run.loss,
        }
        if told:
            meta["convolutions"] = list(told)
        if run.net.skips:
            meta["skips"] = [list(skip) for skip in run.net.skips]
        version = 2 if told or run.net.skips else 1
        disk.write(self.path, records.encoded(FORMAT, version, meta, found))


def read_checkpoint(directory: str | os.PathLike[str], mark: Mark | None = None) -> Run[Any]:
    """Return the run in a directory's checkpoint; with a mark, only if it is that run.

    Raises
    ------
    FileError
        When the checkpoint or the file of an event is damaged, of another version or of another
        run.
    OSError
        When a file cannot be read.
    """
    directory = disk.spelled(directory)
    path = os.path.join(directory, NAME)
    meta, found = records.decoded(path, disk.read(path, LIMIT), FORMAT, VERSION, oldest=1)
    try:
        return _run(directory, path, meta, found, mark)
    except FileError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise FileError(f"{path}: it is no checkpoint of a run ({error!r})") from error


def _run(
    directory: str, path: str, meta: dict[str, Any], found: dict[str, NDArray], mark: Mark | None
) -> Run[Any]:
    for name, wanted in (mark or {}).items():
        if meta["mark"].get(name) != wanted:
            raise FileError(
                f"{path}: the checkpoint is of another run: {name} was {meta['mark'].get(name)}, "
                f"now it is {wanted}; give the same settings and data, or another directory"
            )
    widths, kinds = tuple(meta["widths"]), tuple(meta["structure"])
    if len(kinds) != len(widths) - 1:
        raise FileError(f"{path}: structure must be a list of {len(widths) - 1} items, one a layer")
    told = meta.get("convolutions", [])
    if "convolutions" in meta:
        check_convolutions(f"{path}: convolutions", told, len(kinds))
    check_structure(f"{path}: structure", kinds, widths, told)
    skips = checked_skips(f"{path}: skips", meta.get("skips", []), len(widths) - 2)
    description = Description(meta["profile"], widths, kinds, tuple(told), skips)
    trees = {}
    for name in ("net", *meta["moments"]):
        arrays_ = {}
        for entry, shape in description.shapes():
            array = found.pop(f"{name}.{entry}")
            if array.shape != shape:
                raise FileError(
                    f"{path}: {name}.{entry} must have shape {shape}, got {array.shape}"
                )
            arrays_[entry] = array
        trees[name] = layers(description, arrays_)
    try:
        first = trees.pop("net")
        if meta["elementwise"]:
            net: Any = Elementwise(first, meta["profile"])
        else:
            net = Network(first, meta["profile"], skips=skips)
        moments = {name: Tangent(tree, skips=skips) for name, tree in trees.items()}
        history, records_ = (json.loads(found.pop(k).tobytes()) for k in ("history", "events"))
    except (TypeError, ValueError) as error:
        raise FileError(f"{path}: {error}") from error
    for number, record in enumerate(records_):
        if record["sha256"] != _checksum(directory, number):
            raise FileError(
                f"{_event(directory, number)}: the file must be the one that {NAME} names, it is "
                "another or damaged; take both from one copy"
            )
    events = tuple(
        _recorded(record, load_edits(_event(directory, number)))
        for number, record in enumerate(records_)
    )
    state = State(meta["steps"], moments, frozenset(meta["squares"]))
    return Run(net, state, meta["epoch"], meta["within"], meta["loss"], tuple(history), events)


def fingerprint(start: Run[Any], x: NDArray, labels: NDArray, **settings: Any) -> Mark:
    """Return what identifies a run: texts of the settings, checksums of the data and the start.

    Raises
    ------
    ValueError
        When a loss or a schedule is a function that cannot be told from another one.
    """
    net, state = start.net, start.state
    trees = {"net": net, **state.moments}
    kinds = [getattr(layer.weight, "kind", None) for layer in net.layers]
    profile = net.function if isinstance(net, Elementwise) else repr(net.profile)
    began = (start.epoch, start.within, state.steps)
    return {
        **{name: _told(name, value) for name, value in settings.items()},
        "x": _digest(x),
        "labels": _digest(labels),
        "kind": f"{type(net).__name__} {profile} {list(net.widths)}",
        "shape": f"{kinds} {list(convolutions(net))} {list(net.skips)}",
        "start": _digest(*(v for tree in trees.values() for v in host_arrays(tree).values())),
        "begun": f"epoch {began[0]}, step {began[1]} of it, {began[2]} in all",
    }


def _digest(*arrays: NDArray) -> str:
    """Return the checksum of arrays, dtypes and shapes."""
    total = sha256()
    for array in arrays:
        total.update(f"{array.dtype} {array.shape} ".encode())
        total.update(np.ascontiguousarray(array).data)
    return total.hexdigest()


def _told(name: str, value: Any) -> str:
    """Return a text that tells a setting from every other one, in every process."""
    if isinstance(value, partial):
        given = [_told(name, part) for part in value.args]
        given += [f"{key}={_told(name, part)}" for key, part in sorted(value.keywords.items())]
        return f"{_told(name, value.func)}({', '.join(given)})"
    text = repr(value)
    if isinstance(value, FunctionType):
        text = f"{value.__module__}.{value.__qualname__}"
    if getattr(value, "__closure__", None) or "<lambda>" in text or " at 0x" in text:
        raise ValueError(
            f"{name} must be a function of a module, functools.partial of one, or a value whose "
            f"repr tells its settings, to be recognised when the run is resumed; got {text}"
        )
    return text


def _recorded(record: dict[str, Any], edits: tuple[Edit, ...]) -> Event:
    measured, bound = (
        None if record[name] is None else float(record[name]) for name in ("measured", "bound")
    )
    before, after = tuple(record["before"]), tuple(record["after"])
    return Event(
        record["epoch"], record["step"], record["rule"], edits, before, after, measured, bound
    )


def _event(directory: str, number: int) -> str:
    return os.path.join(directory, f"event-{number}.npz")


def _checksum(directory: str, number: int) -> str:
    return sha256(disk.read(_event(directory, number), LIMIT)).hexdigest()


def _text(value: Any) -> NDArray:
    return np.frombuffer(json.dumps(value, allow_nan=False).encode(), np.uint8)
