"""One line on a terminal: how many trials are done, and how long the others may still take."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import TextIO


class Progress:
    """The line. It is written to terminals only, and over itself.

    Attributes
    ----------
    done : int
        Trials that are finished, those of an earlier run too.
    pause : float or None
        Seconds after which it should be shown again; None if nobody sees it.

    Examples
    --------
    >>> class Terminal:
    ...     def isatty(self):
    ...         return True
    ...     def write(self, text):
    ...         print(text.strip(), end=";")
    ...     def flush(self):
    ...         pass
    >>> line = Progress(Terminal(), "sizes", 4, 16, clock=iter([0.0, 90.0, 120.0]).__next__)
    >>> line.show()
    sizes  4/16 trials, 0:01:30;
    >>> line.done += 4
    >>> line.show()
    sizes  8/16 trials, 0:02:00, about 0:04:00 left;
    """

    def __init__(
        self,
        stream: TextIO | None,
        name: str,
        done: int,
        count: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.stream = sys.stderr if stream is None else stream
        self.seen = self.stream.isatty()
        self.pause = 1.0 if self.seen else None
        self.name, self.done, self.count, self.clock = name, done, count, clock
        self.before, self.start = done, clock()

    def show(self, end: bool = False) -> None:
        """Write the line; its estimate is the mean time of this run's trials, for those left."""
        if not self.seen:
            return
        spent = self.clock() - self.start
        text = f"{self.name}  {self.done}/{self.count} trials, {spelled(spent)}"
        here, left = self.done - self.before, self.count - self.done
        if here and left:
            text += f", about {spelled(spent / here * left)} left"
        self.stream.write(f"\r{text:<60}" + ("\n" if end else ""))
        self.stream.flush()


def spelled(seconds: float) -> str:
    """Return a time in hours, minutes and seconds, with days where there are any.

    Examples
    --------
    >>> spelled(3725.2), spelled(200000.0)
    ('1:02:05', '2 d 7:33:20')
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    return (f"{days} d " if days else "") + f"{hours}:{minutes:02}:{rest:02}"
