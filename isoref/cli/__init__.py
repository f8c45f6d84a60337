"""The command line: one file per sub-command, imported when it is asked for.

Exit codes: 0 holds, 1 does not hold, 2 the input or the usage is wrong, 3 nothing was tested,
130 interrupted.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module

from isoref import __version__

COMMANDS = {
    "verify": "check every law on trained and random networks; the main job",
    "conform": "test another implementation, level by level",
    "vectors": "export the expected values for other languages, or compute them again",
    "check": "compare a framework's outputs and gradients with the definition",
    "train": "train a network, adapt it on the way, keep checkpoints",
    "experiment": "run the published experiments, and new ones, with error bars",
    "inspect": "spectra, the impact of each connection, what could be saved",
    "diagonalise": "turn the spaces around a layer by its singular vectors",
    "sparsify": "the gauge with most zeros, stored as structure",
    "prune": "remove weak neurons, with a certificate",
    "grow": "add inert scaffold neurons",
    "compress": "remove every neuron that no input can move",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one sub-command and return its exit code."""
    parser = argparse.ArgumentParser(prog="isoref", description="Isotropic networks, verified.")
    parser.add_argument("--version", action="version", version=f"isoref {__version__}")
    parser.epilog = "isoref COMMAND --help says what the options of a command mean."
    commands = parser.add_subparsers(dest="command", metavar="command")
    for name, summary in COMMANDS.items():
        commands.add_parser(name, help=summary, add_help=False)
    words = list(sys.argv[1:] if arguments is None else arguments)
    chosen, rest = parser.parse_known_args(words[:1]), words[1:]
    if chosen[0].command is None:
        parser.print_help(sys.stderr)
        return 2
    name = chosen[0].command
    try:
        command = import_module(f"isoref.cli.{name}")
        try:
            return int(command.main(rest))
        except (ValueError, TypeError, OSError) as error:
            lines = [f"isoref {name}: {_sentence(error)}", *getattr(error, "__notes__", ())]
            print("\n".join(lines), file=sys.stderr)
            return 2
    except KeyboardInterrupt:
        print(f"isoref {name}: interrupted", file=sys.stderr)
        return 130


def _sentence(error: Exception) -> str:
    """Return the message; of an error of the system without its number, the path at most once."""
    if not isinstance(error, OSError) or error.strerror is None:
        return str(error)
    path, reason = error.filename, error.strerror
    return reason if path is None or str(path) in reason else f"{path}: {reason}"
