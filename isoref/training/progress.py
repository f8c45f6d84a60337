"""One line on a terminal that follows the training; nothing where there is no terminal."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any, Self, TextIO


class Progress:
    """A line of epoch, loss, accuracy and widths on `stream`, rewritten in place.

    Parameters
    ----------
    epochs : int
        The number to reach.
    wanted : bool
        False shows nothing.
    stream : text stream
        Standard error unless given.
    """

    def __init__(self, epochs: int, wanted: bool = True, stream: TextIO | None = None) -> None:
        self.stream = sys.stderr if stream is None else stream
        self.epochs, self.length = epochs, 0
        self.wanted = wanted and self.stream.isatty()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.length:
            print(file=self.stream)

    def show(self, record: Mapping[str, Any]) -> None:
        """Replace the line by that of an epoch's record."""
        if not self.wanted:
            return
        parts = [f"epoch {record['epoch']}/{self.epochs}", f"loss {record['loss']:.4f}"]
        if "accuracy" in record:
            parts.append(f"accuracy {record['accuracy']:.1%}")
        parts.append("widths " + "–".join(map(str, record["widths"])))
        line = "  ".join(parts)
        print("\r" + line.ljust(self.length), end="", file=self.stream, flush=True)
        self.length = len(line)
