"""Guarded calls: an implementation may raise, hang, or write to what it was given.

Calls run in a thread beside this one with a time limit, on copies; what comes back is taken apart
into NumPy arrays of the right shape and dtype, or refused with a sentence.
"""

from __future__ import annotations

import sys
import threading
import traceback
import warnings
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

import numpy as np

from isoref.conformance.adapter import Offer
from isoref.conformance.status import Status
from isoref.layer import AXES, Layer
from isoref.network import Layered, Network, Tangent

NDArray = np.ndarray[Any, Any]


class Failure(Exception):
    """A call that gave no answer to judge: its status, a sentence, and a traceback if any."""

    def __init__(self, status: Status, message: str, trace: str = "") -> None:
        super().__init__(message)
        self.status, self.message, self.trace = status, message, trace


class Calls:
    """The methods of an adapter, each call with a time limit.

    Parameters
    ----------
    offer : Offer
    seconds : float
        What a call may take.
    hangs : int
        After so many calls without an answer, the rest is not tried.
    """

    def __init__(self, offer: Offer, *, seconds: float = 20.0, hangs: int = 3) -> None:
        self.offer, self.seconds, self.hangs = offer, seconds, hangs
        self.hung = 0
        self._worker: Worker | None = None

    def __call__(self, method: str, *arguments: Any) -> Any:
        """Return what the method returns.

        Raises
        ------
        Failure
            UNSUPPORTED or MISSING when there is no such method, ERROR when it raises, takes too
            long, or writes to its arguments.
        """
        self.check(method)
        given = [_copied(argument) for argument in arguments]
        before = [bytes_of(argument) for argument in given]
        worker, self._worker = self._worker or Worker(), None
        try:
            answer = worker.run(partial(_answered, self.offer.adapter, method, given), self.seconds)
        except Empty:
            self.hung += 1
            getattr(self.offer.adapter, "interrupt", lambda: None)()  # a program can be ended
            text = f"{method} gave no answer in {self.seconds:g} s"
            raise Failure(Status.ERROR, text) from None
        self._worker = worker  # only now: one that hangs, or is interrupted, answers nothing else
        if isinstance(answer, Failure):
            raise answer
        if [bytes_of(argument) for argument in given] != before:
            raise Failure(Status.ERROR, f"{method} wrote to its arguments; it must copy them")
        return answer

    def check(self, method: str) -> None:
        """Raise unless the method is there and others have answered."""
        reason = self.offer.lacks(method)
        if reason is not None:
            raise Failure(Status.UNSUPPORTED, reason)
        if not self.offer.has(method):
            raise Failure(
                Status.MISSING,
                f"the adapter has no {method}; write it, or declare it in unsupported",
            )
        if self.hung >= self.hangs:
            raise Failure(Status.BLOCKED, f"{self.hung} calls gave no answer: no more are made")


class Worker:
    """A thread that runs one call after another, and ends when nobody has the worker any more."""

    def __init__(self) -> None:
        self._calls: SimpleQueue[Any] = SimpleQueue()
        self._answers: SimpleQueue[Any] = SimpleQueue()
        queues = self._calls, self._answers  # a thread that knew the worker would keep it
        threading.Thread(target=_serve, args=queues, daemon=True).start()
        weakref.finalize(self, self._calls.put, None)

    def run(self, call: Callable[[], Any], seconds: float) -> Any:
        """Return what the call returns; raise Empty if it takes longer."""
        self._calls.put(call)
        return self._answers.get(timeout=seconds)


def _serve(calls: SimpleQueue[Any], answers: SimpleQueue[Any]) -> None:
    while (call := calls.get()) is not None:
        answers.put(call())
        del call  # nothing is kept alive while it waits


def _answered(adapter: Any, method: str, given: Sequence[Any]) -> Any:
    """Return the answer of a method, or a Failure."""
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            return getattr(adapter, method)(*given)
    except Failure as failure:
        return failure
    except BaseException as error:
        message = f"{method} raised {_words(error)}{_line(adapter, error)}"
        kind = Refusal if isinstance(error, NotImplementedError | ValueError) else Failure
        return kind(Status.ERROR, message, traceback.format_exc())


def _words(error: BaseException) -> str:
    name = type(error).__name__
    try:
        return f"{name}: {error}"
    except Exception:  # a broken __str__ must not keep the answer back
        return name


def _line(adapter: Any, error: BaseException) -> str:
    """Return where the adapter's own file raised, or called what did."""
    own = getattr(sys.modules.get(type(adapter).__module__), "__file__", None)
    lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == own]
    return f" ({Path(str(own)).name}, line {lines[-1]})" if lines else ""


class Refusal(Failure):
    """A call refused by NotImplementedError or ValueError, as some must be."""


def bytes_of(value: Any) -> list[bytes]:
    """Return the bytes of all arrays in a value."""
    return [array.tobytes() for array in _arrays(value)]


def _arrays(value: Any) -> Iterator[NDArray]:
    if isinstance(value, np.ndarray):
        yield value
    elif isinstance(value, Layered):
        for layer in value.layers:
            for name in AXES:
                yield from _arrays(getattr(layer, name))
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from _arrays(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _arrays(part)


def _copied(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.copy()
    if isinstance(value, Mapping):
        return {key: _copied(part) for key, part in value.items()}
    return value


def parts(name: str, value: Any, count: int) -> tuple[Any, ...]:
    """Return the parts of a result that must have `count` of them."""
    if not isinstance(value, tuple | list) or len(value) != count:
        got = f"{len(value)} of them" if isinstance(value, tuple | list) else type(value).__name__
        raise Failure(Status.ERROR, f"{name} must return a tuple of {count}, got {got}")
    return tuple(value)


def array(name: str, value: Any, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray:
    """Return an array of the shape and dtype that are expected."""
    if not isinstance(value, np.ndarray | np.generic):
        kind = type(value).__name__
        hint = f"; return {name}.detach().cpu().numpy()" if kind == "Tensor" else ""
        raise Failure(Status.ERROR, f"{name} must be a NumPy array of {dtype}, got {kind}{hint}")
    found = np.asarray(value)
    if found.dtype != dtype:
        raise Failure(Status.ERROR, f"{name} must keep the dtype {dtype}, got {found.dtype}")
    if found.shape != tuple(shape):
        raise Failure(Status.ERROR, f"{name} must have shape {tuple(shape)}, got {found.shape}")
    return found


def tangent(name: str, value: Any, like: Layered) -> Tangent:
    """Return what is shaped like a network as a Tangent, without a sign for q."""
    return like.tangent().rebuilt(
        Layer(**entries, **own.reading)
        for entries, own in zip(_entries(name, value, like, fits=True), like.layers, strict=True)
    )


def network(name: str, value: Any, like: Network) -> Network:
    """Return a network in the dtype and with the profile of `like`, of any widths."""
    parts_ = _entries(name, value, like, fits=False)
    try:
        layers = [
            Layer(**entries, **own.reading)
            for entries, own in zip(parts_, like.layers, strict=True)
        ]
        return Network(layers, like.profile, skips=like.skips)
    except (TypeError, ValueError) as error:
        raise Failure(Status.ERROR, f"{name} is no network: {error}") from error


def _entries(name: str, value: Any, like: Layered, *, fits: bool) -> list[dict[str, Any]]:
    layers = value.layers if hasattr(value, "layers") else value
    if not isinstance(layers, list | tuple) or len(layers) != len(like.layers):
        got = f"{len(layers)} of them" if isinstance(layers, list | tuple) else type(value).__name__
        raise Failure(
            Status.ERROR,
            f"{name} must be shaped like the network: a Network, a Tangent, or a list with weight, "
            f"bias, psi and q for each of the {len(like.layers)} layers, got {got}",
        )
    found = []
    for i, (layer, own) in enumerate(zip(layers, like.layers, strict=True)):
        entries: dict[str, Any] = {}
        for key in AXES:
            wanted = getattr(own, key)
            if wanted is None:
                continue
            part = layer.get(key) if isinstance(layer, Mapping) else getattr(layer, key, None)
            place = f"{name}[{i}].{key}"
            if part is None:
                raise Failure(Status.ERROR, f"{place} is missing{_named(layer)}")
            shape = wanted.shape if fits else getattr(part, "shape", wanted.shape)
            entries[key] = array(place, part, shape, like.reference.dtype)
        found.append(entries)
    return found


def _named(layer: Any) -> str:
    """Return the names that a layer has in place of those that are sought."""
    if not isinstance(layer, Mapping):
        return f"; the layer is a {type(layer).__name__}"
    return f"; there is {', '.join(map(str, layer)) or 'nothing'}"
