"""Committed results: the pages are what the numbers make, and the numbers what trials find."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from isoref.experiments import EXPERIMENTS, experiment, pages, report, runner
from isoref.experiments.experiment import OUTCOMES, Results

DOCS = Path(__file__).parents[1] / "docs" / "generated" / "experiments"
LONG = ("abundance", "tasks")
"""Those of which a trial is computed again with -m slow only; of the others, always."""


def published(name: str) -> Results:
    found = pages.read(str(DOCS), name)
    assert found is not None, f"run isoref experiment {name} --docs {DOCS}"
    return found


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_a_page_is_what_its_results_make(name: str) -> None:
    results, found = published(name), experiment(name)
    assert (DOCS / f"{name}.md").read_text("utf-8") == report.summary(found, results)
    assert (DOCS / f"{name}.json").read_bytes() == report.encode(results)
    for suffix in found.figures:
        assert (DOCS / f"{report.stem(name, suffix)}.svg").exists()
    for finding in found.verdict(results).findings:
        assert finding.outcome in OUTCOMES
        assert finding.statement.endswith((".", "?", ")"))
        assert "nan" not in finding.evidence


def test_the_overview_is_what_all_results_make() -> None:
    assert (DOCS / "index.md").read_text("utf-8") == pages.overview(str(DOCS))


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_results_are_those_of_the_default_study(name: str) -> None:
    results, settings = published(name), experiment(name).studies["default"]
    assert results.study == "default"
    assert results.n >= 16
    assert [trial.seed for trial in results.trials] == list(range(results.n))
    told = settings.told()
    assert set(results.settings) == set(told)
    changed = {key for key in told if told[key] != results.settings[key]}
    assert changed <= ({"chosen"} if experiment(name).pilot else set())
    assert len((DOCS / f"{name}.json").read_bytes()) < 2**20


def test_pages_say_nothing_of_where_they_were_made() -> None:
    for path in DOCS.iterdir():
        text = path.read_text("utf-8")
        assert not re.search(r"/tmp|/home|/root|localhost", text), path.name


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_a_number_that_was_changed_by_hand_is_found(name: str) -> None:
    results, found = published(name), experiment(name)
    text = (DOCS / f"{name}.json").read_text("utf-8")
    numbers = list(re.finditer(r"(?<=[ \[])\d\.\d+(?=[,\]}])", text))
    changed = numbers[len(numbers) // 2]
    other = "8.5" if changed[0] != "8.5" else "8.25"
    wrong = report.decode((text[: changed.start()] + other + text[changed.end() :]).encode())
    assert report.summary(found, wrong) != report.summary(found, results)


def sampled(name: str) -> Any:
    marks = (pytest.mark.slow,) if name in LONG else ()
    return pytest.param(name, marks=marks)


@pytest.mark.parametrize("name", [sampled(name) for name in EXPERIMENTS])
def test_a_trial_finds_what_is_told_of_it(name: str) -> None:
    results, found = published(name), experiment(name)
    settings = found.studies["default"]
    if "chosen" in results.settings:
        settings = type(settings)(**{**vars(settings), "chosen": results.settings["chosen"]})
    with runner.processes(1) as pool:
        again = dict(report.flat(pool.submit(runner.trial, name, 0, settings).result()))
    every = [dict(report.flat(trial.numbers)) for trial in results.trials]
    assert again.keys() == every[0].keys()
    if found.timed:
        return
    far = {}
    for key, value in again.items():
        told = np.array([numbers[key] for numbers in every], dtype=float)
        # Other machines round differently, and training amplifies that: as far as seeds differ.
        largest = abs(told).max()
        allowed = 4 * told.std(ddof=1) + 1e-6 * largest
        if largest < 1e-3:  # roundoff, of which every processor has its own
            allowed += 2 * largest + 1e-5
        if not abs(float(value) - told[0]) <= allowed:
            far[key] = (value, told[0], allowed)
    assert len(far) <= 0.01 * len(again), far
