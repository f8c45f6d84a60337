"""`isoref train`: train a network on the digits or on the user's files, with checkpoints."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from isoref.cli import architecture, common
from isoref.cli.spelling import called


def main(arguments: Sequence[str]) -> int:
    """Train, and write DIR/network.npz, DIR/history.json and DIR/checkpoint.npz."""
    parser = common.parser(
        "train",
        "Train an isotropic network and write DIR/network.npz, DIR/history.json and "
        "DIR/checkpoint.npz. A run that was stopped goes on with --resume and the same options, "
        "and ends in the same bytes.",
        "isoref train --out run --epochs 30 --optimiser 'sgd(rate=0.1)' "
        "--adapt 'widths(start=(32, 32), target=(16, 48), hold=5, over=20)'",
    )
    parser.add_argument("--out", metavar="DIR", required=True, help="made if it is not there")
    parser.add_argument(
        "--data",
        default="digits",
        help="digits (embedded), mnist, fashion-mnist, emnist-letters, cifar10 or cifar100",
    )
    parser.add_argument("--root", default=".", help="the folder that has the files of --data")
    architecture.add_options(parser)
    parser.add_argument(
        "--optimiser",
        default="sgd(rate=0.1, decay=1e-4)",
        help="sgd, adamw or orthogonalised, with settings as in adamw(rate=1e-3, decay=1e-3)",
    )
    parser.add_argument(
        "--schedule", default="constant", help="constant, cosine(warmup=100) or steps(fractions=…)"
    )
    parser.add_argument("--epochs", type=int, default=30, help="in all (default: 30)")
    parser.add_argument("--batch", type=int, default=64, help="samples of a step (default: 64)")
    parser.add_argument("--seed", type=int, default=0, help="of split, network, order and rules")
    parser.add_argument(
        "--dtype",
        choices=("float64", "float32"),
        default="float32",
        help="of parameters and arithmetic (default: float32)",
    )
    parser.add_argument("--psi-decay", type=float, default=0.0, help="c: c Σ ψ² joins the loss")
    parser.add_argument(
        "--adapt",
        action="append",
        default=[],
        metavar="RULE",
        help="edit while training: controller(threshold=0.95, buffer=5), budget(total=0.1), "
        "widths(start=…, target=…, hold=…, over=…); may be given several times",
    )
    parser.add_argument(
        "--approximate",
        action="store_true",
        help="let second moments follow rotations by (R∘R) v, which no law supports (C32)",
    )
    parser.add_argument("--every", type=int, help="checkpoints after every so many steps too")
    parser.add_argument("--resume", action="store_true", help="go on from DIR/checkpoint.npz")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead")
    options = parser.parse_args(arguments)
    return _train(options)


def _train(options: Any) -> int:
    from isoref.cli.folder import made
    from isoref.data import read, standardise
    from isoref.files import save
    from isoref.files.lock import locked
    from isoref.training import (
        SGD,
        AdamW,
        Budget,
        Checkpoints,
        Controller,
        Diverged,
        Orthogonalised,
        Widths,
        evaluated,
        train,
    )
    from isoref.training.rates import Constant, Cosine, Steps

    optimiser = called(
        "--optimiser",
        options.optimiser,
        {
            "sgd": partial(SGD, rate=0.1),
            "adamw": partial(AdamW, rate=1e-3),
            "orthogonalised": partial(Orthogonalised, rate=0.05),
        },
    )
    schedules = {"constant": Constant, "cosine": Cosine, "steps": Steps}
    schedule = called("--schedule", options.schedule, schedules)
    known = {"controller": Controller, "widths": Widths, "budget": Budget}
    rules = tuple(called("--adapt", text, known) for text in options.adapt)
    parts = standardise(read(options.data, options.root, seed=options.seed), options.dtype)
    net, parts = architecture.started(options, parts)
    try:
        with made(options.out):
            run = train(
                net,
                parts.x,
                parts.labels,
                optimiser=optimiser,
                epochs=options.epochs,
                batch=options.batch,
                seed=options.seed,
                schedule=schedule,
                psi_decay=options.psi_decay,
                rules=rules,
                approximate=options.approximate,
                callbacks=(evaluated(parts.held_x, parts.held_labels),),
                checkpoints=Checkpoints(options.out, options.every, options.resume),
                progress=True,
            )
    except Diverged as error:
        print(
            "\n".join([f"isoref train: {error}", *getattr(error, "__notes__", ())]), file=sys.stderr
        )
        return 1
    except KeyboardInterrupt:
        if os.path.exists(os.path.join(options.out, "checkpoint.npz")):
            print("isoref train: --resume goes on from the last checkpoint", file=sys.stderr)
        raise
    events = [event.record() for event in run.events]
    settings = {k: v for k, v in vars(options).items() if k not in ("out", "resume", "json")}
    history = {"settings": settings, "epochs": list(run.history), "events": events}
    with locked(options.out):
        save(run.net, os.path.join(options.out, "network.npz"))
        _write(os.path.join(options.out, "history.json"), history)
    facts = {
        "widths": [list(net.widths), list(run.net.widths)],
        "epochs": run.epoch,
        "steps": run.state.steps,
        "loss": run.history[-1]["loss"],
        "held-out accuracy": run.history[-1]["accuracy"],
        "edits": len(events),
        "output": options.out,
    }
    common.show(options, facts)
    return 0


def _write(path: str, content: Mapping[str, Any]) -> None:
    from isoref.files import disk

    disk.write(path, (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode())
