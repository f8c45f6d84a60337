"""`isoref vectors`: the corpus for other languages, and a second look at it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path


def main(arguments: Sequence[str]) -> int:
    """Export or verify the vectors."""
    parser = argparse.ArgumentParser(
        prog="isoref vectors",
        description="The frozen expected values that `isoref conform` judges by. Exit code 0: "
        "done, or all hold; 1: a value, a gauge or an id differs; 2: the usage is wrong; 3: the "
        "files are damaged, or nothing was compared.",
        epilog="Example: isoref vectors export vectors",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    export = commands.add_parser("export", help="copy the files and their description")
    export.add_argument("folder", metavar="DIR", type=Path, help="a folder that is not there yet")
    verify = commands.add_parser("verify", help="compute them again, with mpmath, and compare")
    verify.add_argument("--sample", metavar="N", type=int, help="this many cases, from all over")
    verify.add_argument("--jobs", metavar="N", type=int, default=1, help="processes (default: 1)")
    verify.add_argument("--vectors", metavar="DIR", type=Path, help="others than those that ship")
    options = parser.parse_args(arguments)
    from isoref.conformance.vectors import CorpusError

    try:
        if options.command == "export":
            return _export(options.folder)
        return _verify(options.vectors, options.sample, options.jobs)
    except CorpusError as error:
        print(f"isoref vectors: {error}", file=sys.stderr)
        return 3


def _export(folder: Path) -> int:
    from isoref.conformance.vectors import export

    names = export(folder)
    print(f"{len(names)} files in {folder}; README.md says how to read them")
    return 0


def _verify(folder: Path | None, sample: int | None, jobs: int) -> int:
    if sample is not None and sample < 1:
        raise ValueError(f"--sample must be a positive number of cases, got {sample}")
    if jobs < 1:
        raise ValueError(f"--jobs must be a positive number of processes, got {jobs}")
    try:
        from isoref.conformance.recomputed import misnumbered, recomputed
    except ModuleNotFoundError as error:
        if error.name != "mpmath":
            raise
        raise ValueError("verifying needs mpmath: pip install mpmath") from None
    from isoref.conformance.vectors import FOLDER, load

    corpus = load(folder or FOLDER)
    count = len(corpus.all) if sample is None else min(sample, len(corpus.all))
    chosen = [corpus.all[k * len(corpus.all) // count] for k in range(count)]
    wrong = 0
    for sentence in misnumbered(corpus.all):
        wrong += 1
        print(sentence)
    for k, (case, found) in enumerate(recomputed(chosen, jobs=jobs), 1):
        wrong += len(found)
        for sentence in found:
            print(f"{case.id}: {sentence}", flush=True)
        if sys.stderr.isatty():
            print(f"\r{k} of {count}", end="", file=sys.stderr, flush=True)
    if sys.stderr.isatty():
        print(file=sys.stderr)
    print(
        f"{count} of {len(corpus.all)} cases computed again, {wrong} difference{'s' * (wrong != 1)}"
    )
    if wrong:
        return 1
    return 0 if count else 3
