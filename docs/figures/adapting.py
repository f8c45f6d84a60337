"""Figure of the page on adapting a network while it trains, from a recorded run of that page.

`python docs/figures/adapting.py` runs the examples of `docs/how-to-adapt.md` and writes the widths
to `adapt-widths.json`. They are kept, because another library may round a count of the controller
or of the budget otherwise: the figure would differ from machine to machine.
"""

from __future__ import annotations

import doctest
import json
import re
from pathlib import Path
from typing import Any

from drawing import Axes, Panel

RECORD = Path(__file__).with_name("adapt-widths.json")
PAGE = Path(__file__).parents[1] / "how-to-adapt.md"


def recorded() -> dict[str, list[list[int]]]:
    """Run the page and return epoch and width of each hidden space, from the start."""
    text = re.sub(r"^```.*$", "", PAGE.read_text("utf-8"), flags=re.MULTILINE)
    test = doctest.DocTestParser().get_doctest(text, {}, PAGE.name, None, 0)
    scope: dict[str, Any] = test.globs
    if doctest.DocTestRunner().run(test, clear_globs=False).failed:
        raise SystemExit("the page is wrong: mend it first")
    events = scope["run"].events
    widths: dict[str, list[list[int]]] = {}
    for space, name in ((1, "one"), (2, "two")):
        steps = [[0, events[0].before[space]]]
        for event in events:
            if event.after[space] != steps[-1][1]:
                steps.append([event.epoch, event.after[space]])
        widths[name] = steps
    return widths


def widths() -> Panel:
    """Draw two staircases."""
    panel = Panel(340, 262, "Two staircases that rise, the second falls at the end")
    axes = Axes(panel, (38, 30, 328, 222), (0, 24), (0, 36))
    axes.frame((0, 5, 12, 20, 24), (0, 12, 24, 36))
    for epoch in (5, 12, 20):
        axes.curve((epoch, epoch), (0, 36), "faint", 1, "4 4")
    for name, steps in json.loads(RECORD.read_text("utf-8")).items():
        xs: list[float] = []
        ys: list[float] = []
        for (epoch, width), (following, _) in zip(steps, [*steps[1:], (24, 0)], strict=True):
            xs += [epoch, following]
            ys += [width, width]
        axes.curve(xs, ys, name, 2.5)
    for epoch, words in ((8.5, "controller"), (16, "schedule"), (22.1, "budget")):
        panel.text((axes.at(epoch, 0)[0], 22), words, size=12)
    panel.text((axes.at(2.5, 0)[0], 22), "fixed", size=12)
    panel.text(axes.at(19.5, 33.2), "space 1", "end", fill="one")
    panel.text(axes.at(16.6, 13.2), "space 2", "start", fill="two")
    panel.text((183, 256), "epoch", size=12)
    return panel


FIGURES = {"adapt-widths": widths}

if __name__ == "__main__":
    RECORD.write_text(json.dumps(recorded()) + "\n", encoding="utf-8")
