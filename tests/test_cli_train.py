"""`isoref train`: what it writes, that it resumes to the same bytes, and what it refuses."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from isoref import forward, load
from isoref.cli import main
from isoref.cli.spelling import called
from isoref.data import load_digits, split, standardise
from isoref.training import accuracy

QUICK = ["--epochs", "3", "--dtype", "float64"]
ADAPT = ["--adapt", "widths(start=(32, 32), target=(20, 36), hold=1, over=1)"]


def train(out: Path, *words: str) -> int:
    return main(["train", "--out", str(out), *QUICK, *words])


def test_it_writes_a_network_and_the_history_that_it_tells(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train(tmp_path / "run", *ADAPT, "--json") == 0
    facts = json.loads(capsys.readouterr().out)
    net = load(tmp_path / "run" / "network.npz")
    history = json.loads((tmp_path / "run" / "history.json").read_text("utf-8"))
    parts = standardise(split(*load_digits(), seed=0))
    assert net.widths == (64, 20, 36, 10)
    assert facts["widths"] == [[64, 32, 32, 10], [64, 20, 36, 10]]
    held = accuracy(forward(net, parts.held_x), parts.held_labels)
    assert facts["held-out accuracy"] == history["epochs"][-1]["accuracy"] == held
    assert [record["epoch"] for record in history["epochs"]] == [1, 2, 3]
    assert [event["after"] for event in history["events"]] == [[64, 20, 36, 10]]
    assert all(event["measured"] <= event["bound"] for event in history["events"])
    assert history["settings"]["seed"] == 0


def test_resuming_gives_the_bytes_of_a_run_without_a_stop(tmp_path: Path) -> None:
    assert train(tmp_path / "whole", *ADAPT) == 0
    assert main(["train", "--out", str(tmp_path / "part"), "--dtype", "float64", "--epochs", "1",
                 *ADAPT]) == 0  # fmt: skip
    assert train(tmp_path / "part", *ADAPT, "--resume") == 0
    for name in ("network.npz", "history.json", "checkpoint.npz"):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "part" / name).read_bytes()


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--optimiser", "lion"], "--optimiser must be one of sgd, adamw, orthogonalised"),
        (["--optimiser", "sgd(0.1)"], "with settings by name"),
        (["--optimiser", "sgd(rat=0.1)"], "unexpected keyword argument 'rat'"),
        (["--optimiser", "sgd(rate=-1)"], "rate must be a positive number, got -1"),
        (["--optimiser", "sgd(rate=exit(3))"], "--optimiser must be one of"),
        (["--adapt", "controller(threshold=0.9)"], "missing 1 required positional argument"),
        (["--optimiser", "adamw", "--adapt", "controller(threshold=0.9, buffer=2)"], "C32"),
        (["--schedule", "cosine(floor=2)"], "floor must be a number between 0 and 1"),
        (["--data", "imagenet"], "digits.*mnist.*cifar10"),
        (["--data", "cifar10"], "cifar10 needs data_batch_1.bin"),
        (["--widths", "64,x,10"], "--widths must be integers"),
        (["--widths", "63,8,10"], "--widths must begin with 64"),
        (["--profile", "tan"], "a profile is expected, got 'tan'"),
        (["--epochs", "0"], "epochs must be a positive integer"),
    ],
)
def test_wrong_options_leave_nothing_trained(
    words: list[str], text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train(tmp_path / "run", *words) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert re.search(text, output.err), output.err
    assert not (tmp_path / "run" / "network.npz").exists()


def test_divergence_is_told_and_exits_with_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train(tmp_path / "run", "--dtype", "float32", "--optimiser", "sgd(rate=1e39)") == 1
    error = capsys.readouterr().err
    assert "the first tensor that is not finite is layers[0].weight, at step 1" in error
    assert not (tmp_path / "run" / "network.npz").exists()


def test_another_run_in_the_directory_is_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train(tmp_path / "run") == 0
    kept = (tmp_path / "run" / "network.npz").read_bytes()
    assert train(tmp_path / "run") == 2
    assert "a checkpoint is there already" in capsys.readouterr().err
    assert train(tmp_path / "run", "--seed", "1", "--resume") == 2
    assert "another run" in capsys.readouterr().err
    assert (tmp_path / "run" / "network.npz").read_bytes() == kept


@pytest.mark.parametrize(
    "text", ["", "(", "a.b()", "box(**{})", "box(x=y)", "box()()", "1", "x" * 9]
)
def test_calls_that_are_none(text: str) -> None:
    known: dict[str, Any] = {"box": dict}
    with pytest.raises(ValueError, match="--argument must be one of box"):
        called("--argument", text, known)


def test_spelled_values_are_literals() -> None:
    assert called("-", " box(a=1e-3, b=(1, 2), c='x') ", {"box": dict}) == {
        "a": 1e-3, "b": (1, 2), "c": "x",
    }  # fmt: skip
    assert called("-", "box", {"box": dict}) == {}
    assert np.isinf(called("-", "box(a=1e999)", {"box": dict})["a"])
