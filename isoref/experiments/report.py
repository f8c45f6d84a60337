"""results.json, a CSV of every number, figures, and the summary in prose, all from the results."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

from isoref.experiments import figures
from isoref.experiments.experiment import OUTCOMES, Experiment, Results, Table, Trial
from isoref.experiments.runner import encoded
from isoref.experiments.statistics import LEVEL, smallest_p
from isoref.files import disk

FORMAT = "isoref-experiment"


def content(results: Results) -> dict[str, Any]:
    """Return the results in JSON's types, every number of them."""
    found: dict[str, Any] = {
        "format": FORMAT,
        "version": 1,
        "experiment": results.experiment,
        "study": results.study,
        "settings": dict(results.settings),
        "versions": dict(results.versions),
    }
    for name in ("pilots", "trials"):
        trials = getattr(results, name)
        found[name] = [{"seed": trial.seed, "numbers": trial.numbers} for trial in trials]
    return found


def encode(results: Results) -> bytes:
    """Return the bytes of results.json: a line for each trial."""
    found = content(results)
    lists = {name: found.pop(name) for name in ("pilots", "trials")}
    text = encoded(found).decode().removesuffix("\n}\n")
    for name, trials in lists.items():
        rows = ",\n  ".join(json.dumps(trial, ensure_ascii=False) for trial in trials)
        text += f',\n "{name}": [' + (f"\n  {rows}\n ]" if trials else "]")
    return (text + "\n}\n").encode()


def decode(data: bytes) -> Results:
    """Return the results of a results.json.

    Raises a ValueError when the bytes are none.
    """
    try:
        found = json.loads(data)
        if found["format"] != FORMAT or found["version"] != 1:
            raise ValueError(f"format {FORMAT!r}, version 1, is expected")
        trials = {
            name: tuple(Trial(entry["seed"], entry["numbers"]) for entry in found[name])
            for name in ("trials", "pilots")
        }
        return Results(
            experiment=found["experiment"],
            study=found["study"],
            settings=found["settings"],
            versions=found["versions"],
            **trials,
        )
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"results.json of an experiment is expected: {error}") from error


def table(results: Results) -> str:
    """Return the CSV: stage, seed, quantity and value, a line for each number."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(("stage", "seed", "quantity", "value"))
    for stage, trials in (("pilot", results.pilots), ("trial", results.trials)):
        for trial in trials:
            for name, value in flat(trial.numbers):
                writer.writerow((stage, trial.seed, name, value))
    return buffer.getvalue()


def flat(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every number with the names and positions that lead to it.

    Examples
    --------
    >>> list(flat({"loss": {"a": 1.0}, "widths": [8, 4]}))
    [('loss/a', 1.0), ('widths/0', 8), ('widths/1', 4)]
    """
    if isinstance(value, Mapping):
        pairs = [(str(key), entry) for key, entry in value.items()]
    elif isinstance(value, list | tuple):
        pairs = [(str(k), entry) for k, entry in enumerate(value)]
    else:
        yield name, value
        return
    for key, entry in pairs:
        yield from flat(entry, f"{name}/{key}" if name else key)


def summary(experiment: Experiment[Any], results: Results, ending: str = "svg") -> str:
    """Return the summary as Markdown; its figures are files with this ending beside it."""
    verdict = experiment.verdict(results)
    parts = [f"# {experiment.title}", _wrapped(experiment.question), *_told(experiment, results)]
    parts.append("## What the numbers say")
    for finding in verdict.findings:
        assert finding.outcome in OUTCOMES
        outcome = finding.outcome[0].upper() + finding.outcome[1:]
        parts += [_wrapped(f"**{finding.statement}** *{outcome}.* {finding.evidence}")]
    for suffix, figure in experiment.figures.items():
        file = f"{stem(experiment.name, suffix)}.{ending}"
        parts += [f"![{figure.caption}]({file})", _wrapped(f"*{figure.caption}*")]
    for entry in verdict.tables:
        parts += [_wrapped(entry.caption + ":"), _markdown(entry)]
    if verdict.remarks:
        parts += ["## What limits it", *map(_wrapped, verdict.remarks)]
    return "\n\n".join(parts) + "\n"


def _told(experiment: Experiment[Any], results: Results) -> Iterator[str]:
    """Yield how the numbers came about."""
    data = results.settings["data"]
    words = " --quick" if results.study == "quick" else ""
    words += "" if data == "digits" else f" --data {data} --root FOLDER"
    seeds = f"{results.n} seeds, 0 to {results.n - 1}"
    if results.pilots:
        seeds += f"; {len(results.pilots)} other seeds for the pilot, which chose settings"
    command = f"isoref experiment {experiment.name}{words} --seeds {results.n}"
    yield _wrapped(
        f"`{command}` makes this page. {seeds}. Means are ± their standard error, tests are "
        "paired by seed, and a difference within two standard errors, or with a corrected p-value "
        "above 0.05, is no clear difference."
    )
    if results.study == "quick":
        yield "This is the quick study: it shows that everything runs, and decides nothing."
    if (least := smallest_p(results.n)) > LEVEL:
        yield _wrapped(
            f"With {results.n} seeds no difference can be clear: the smallest p-value that the "
            f"signed-rank test can have is {least:g}, and six seeds are the fewest that suffice "
            "for one comparison. That a difference is not clear says nothing here."
        )
    settings = ", ".join(f"{name} {_shown(value)}" for name, value in results.settings.items())
    known = ", ".join(f"{name} {value}" for name, value in results.versions.items())
    mark = hashlib.sha256(encode(results)).hexdigest()[:16]
    yield _wrapped(
        f"Settings: {settings}. Versions: {known}. The SHA-256 of the numbers, results.json, "
        f"begins with {mark}."
    )


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return "(" + ", ".join(map(_shown, value)) + ")"
    if isinstance(value, Mapping):
        return "(" + ", ".join(f"{key} {_shown(entry)}" for key, entry in value.items()) + ")"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _markdown(entry: Table) -> str:
    rows = [entry.head, ["---"] * len(entry.head), *entry.rows]
    return "\n".join("| " + " | ".join(map(str, row)) + " |" for row in rows)


def _wrapped(text: str) -> str:
    return textwrap.fill(text, 100, break_long_words=False, break_on_hyphens=False)


def stem(name: str, suffix: str) -> str:
    """Return the name of a figure's file without its ending."""
    return f"{name}-{suffix}" if suffix else name


def drawn(
    experiment: Experiment[Any], results: Results, endings: tuple[str, ...]
) -> dict[str, Any]:
    """Return the figures as bytes by the names of their files."""
    writers = {"svg": figures.svg, "png": figures.png}
    found = {}
    with figures.styled():
        for suffix, figure in experiment.figures.items():
            picture = figure.draw(results)
            for ending in endings:
                found[f"{stem(experiment.name, suffix)}.{ending}"] = writers[ending](picture)
    return found


def write(
    experiment: Experiment[Any], results: Results, directory: str, *, pictures: bool = True
) -> list[str]:
    """Write results.json, results.csv, summary.md and the figures; return their paths."""
    files: dict[str, bytes] = {
        "results.json": encode(results),
        "results.csv": table(results).encode(),
        "summary.md": summary(experiment, results).encode(),
    }
    if pictures:
        files |= drawn(experiment, results, ("svg", "png"))
    return write_files(directory, files)


def write_files(directory: str, files: Mapping[str, bytes]) -> list[str]:
    """Write files, each in one step, into a directory, made if it is not there; return paths."""
    os.makedirs(directory, exist_ok=True)
    paths = [os.path.join(directory, name) for name in files]
    for path, data in zip(paths, files.values(), strict=True):
        disk.write(path, data)
    return paths
