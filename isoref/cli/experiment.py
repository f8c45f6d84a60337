"""`isoref experiment`: run a published experiment, or a new one, and say what its numbers mean."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from typing import Any

from isoref.cli import common


def main(arguments: Sequence[str]) -> int:
    """Run experiments and print their summaries, or list them."""
    parser = common.parser(
        "experiment",
        "Run an experiment over several seeds and write OUT/NAME/results.json, results.csv, "
        "summary.md and its figures. Finished trials are kept: the same command goes on where it "
        "was stopped. Without NAME the experiments are listed.",
        "isoref experiment invariance --quick --jobs 2",
    )
    parser.add_argument("name", metavar="NAME", nargs="?", help="an experiment, or all")
    parser.add_argument("--quick", action="store_true", help="a check that it runs, in two minutes")
    parser.add_argument(
        "--data",
        help="digits (embedded, the default), or the published settings on files that you have: "
        "mnist, fashion-mnist, emnist-letters, cifar10 or cifar100",
    )
    parser.add_argument("--root", default=".", help="the folder that has the files of --data")
    parser.add_argument("--out", metavar="DIR", default="experiments", help="default: experiments")
    parser.add_argument("--seeds", type=int, help="how many trials, 2 or more")
    parser.add_argument("--jobs", type=int, default=1, help="how many processes")
    parser.add_argument("--no-figures", action="store_true", help="needs no matplotlib")
    parser.add_argument(
        "--docs", metavar="DIR", help="write the pages of the documentation too, NAME.md …"
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead, of all a list")
    options = parser.parse_args(arguments)
    from isoref.experiments import EXPERIMENTS

    if options.name is None:
        for name, statement in EXPERIMENTS.items():
            print(f"{name:<16}{statement}")
        return 0
    return _run(options, list(EXPERIMENTS) if options.name == "all" else [options.name])


def _run(options: Any, names: list[str]) -> int:
    from isoref.experiments import experiment, figures, pages, report, runner
    from isoref.experiments.experiment import check_seeds
    from isoref.training import Diverged

    if options.seeds is not None:
        check_seeds(options.seeds)
    found = [experiment(name) for name in names]
    study = "quick" if options.quick else "default"
    if options.data not in (None, "digits"):
        study = study if options.quick else "published"
    given = {"data": options.data, "root": options.root, "seeds": options.seeds}
    studies = [(each, runner.settled(each.studies[study], **given)) for each in found]
    _check_data(studies)
    if not options.no_figures or options.docs:
        figures.require()
    told = []
    for each, settings in studies:
        directory = os.path.join(options.out, each.name)
        try:
            results = runner.conduct(each, study, settings, directory, jobs=options.jobs)
        except Diverged as error:
            notes = getattr(error, "__notes__", ())
            print("\n".join([f"isoref experiment: {error}", *notes]), file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            kept = os.path.join(directory, "trials")
            print(f"isoref experiment: the same command goes on from {kept}", file=sys.stderr)
            raise
        paths = report.write(each, results, directory, pictures=not options.no_figures)
        if options.docs:
            paths += pages.publish(each, results, options.docs)
        told.append(report.content(results))
        if not options.json:
            print(report.summary(each, results))
            print("\n".join(paths), file=sys.stderr)
    if options.json:
        whole = told if options.name == "all" else told[0]
        print(json.dumps(whole, indent=1, ensure_ascii=False))
    return 0


def _check_data(studies: Sequence[tuple[Any, Any]]) -> None:
    """Raise for an unknown data set, or files that are not there, before anything is computed."""
    from isoref.data import NAMES, read

    for data in {settings.data for _, settings in studies}:
        if data not in NAMES:
            raise ValueError(f"--data must be one of {', '.join(NAMES)}, got {data!r}")
    needed = {
        (data, settings.root): each.name
        for each, settings in studies
        for data in each.sources(settings)
    }
    for (data, root), name in needed.items():
        try:
            read(data, root)
        except (OSError, ValueError) as error:
            error.add_note(f"These are files that the experiment {name} reads.")
            raise
