"""Guarded calls: one thread beside the suite's, left behind by a call that hangs or is over."""

from __future__ import annotations

import threading
import time
from typing import Any, ClassVar

import numpy as np
import pytest

from isoref.conformance.adapter import offer
from isoref.conformance.calls import Calls, Failure


class Odd:
    """Whose answers are what was asked, its own thread, or nothing for a while."""

    info: ClassVar = {"name": "odd"}
    numerics: ClassVar = {"storage": "float64"}
    profiles = ("tanh",)

    def __init__(self) -> None:
        self.threads: list[threading.Thread] = []

    def forward(self, net: Any, x: Any) -> Any:
        self.threads.append(threading.current_thread())
        if x[0] < 0:
            time.sleep(-x[0])
        if np.isnan(x[0]):
            raise Unspeakable
        return x


class Unspeakable(Exception):
    def __str__(self) -> str:
        raise RuntimeError


def asked(calls: Calls, x: float) -> float:
    return float(calls("forward", None, np.array([x]))[0])


def test_calls_share_a_thread_that_ends_with_them() -> None:
    """Kills a worker that its own thread keeps: every run would leave one behind."""
    adapter = Odd()
    calls = Calls(offer(adapter))
    assert [asked(calls, x) for x in (1.0, 2.0, 3.0)] == [1.0, 2.0, 3.0]
    (thread,) = set(adapter.threads)
    assert thread is not threading.current_thread()
    assert thread.is_alive()
    del calls
    thread.join(10)
    assert not thread.is_alive()


def test_a_late_answer_is_not_that_of_the_next_call() -> None:
    """Kills a worker that is asked again after it hung."""
    adapter = Odd()
    calls = Calls(offer(adapter), seconds=0.05)
    with pytest.raises(Failure, match="no answer in"):
        asked(calls, -0.2)
    calls.seconds = 10.0
    assert asked(calls, 5.0) == 5.0
    assert calls.hung == 1
    first, second = adapter.threads
    assert first is not second
    first.join(10)
    assert not first.is_alive()


def test_an_error_without_words_is_told_by_its_name() -> None:
    """Kills a thread that dies of the error's own text, and is waited for."""
    with pytest.raises(
        Failure, match=r"forward raised Unspeakable \(test_conform_calls\.py, line \d+\)$"
    ):
        asked(Calls(offer(Odd())), np.nan)
