"""The command line on network files: it writes the same function, and errors say what to do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from isoref import Network, bounds, forward
from isoref.cli import COMMANDS, main
from isoref.files import load, save
from isoref.tolerance import compare
from isoref.topology import grow
from isoref.verification.cases import network

EXACT: dict[str, list[str]] = {
    "diagonalise": ["--layer", "1", "--side", "full"],
    "sparsify": [],
    "grow": ["--space", "1", "--count", "3"],
    "compress": [],
}


@pytest.fixture
def saved(tmp_path: Path) -> tuple[Network, Path]:
    net = network((4, 6, 6, 3), "tanh", 0.5, "float64", np.random.default_rng(0))
    path = tmp_path / "net.npz"
    save(net, path)
    return net, path


@pytest.mark.parametrize("command", EXACT)
def test_commands_write_the_same_function(command: str, saved: tuple[Network, Path]) -> None:
    net, path = saved
    out = path.with_name("out.npz")
    assert main([command, str(path), "-o", str(out), *EXACT[command]]) == 0
    other, x = load(out), np.random.default_rng(1).standard_normal((5, 4))
    # Rotations round the parameters once more than the outputs: as many deviations again.
    limit = 3 * (bounds(net, x).y + bounds(other, x).y)
    assert compare(forward(other, x), forward(net, x), limit).rho <= 1
    assert np.array_equal(forward(load(path), x), forward(net, x))


def test_prune_reports_its_certificate(
    saved: tuple[Network, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    net, path = saved
    x = np.random.default_rng(1).standard_normal((5, 4))
    np.save(path.with_name("x.npy"), x)
    out = path.with_name("out.npz")
    words = ["prune", str(path), "--space", "1", "--count", "2", "-o", str(out), "--json"]
    assert main([*words, "--inputs", str(path.with_name("x.npy"))]) == 0
    facts = json.loads(capsys.readouterr().out)
    change = np.linalg.norm(forward(load(out), x) - forward(net, x), axis=1).max()
    assert facts["measured ‖Δy‖"] == change <= facts["bound on ‖Δy‖"]
    assert facts["widths"] == [[4, 6, 6, 3], [4, 4, 6, 3]]


def test_inspect_tells_what_is_dead(
    saved: tuple[Network, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    net, path = saved
    save(grow(net, 2, 2, seed=0)[0], path)
    assert main(["inspect", str(path), "--radius", "2"]) == 0
    text = capsys.readouterr().out
    assert "space 2: 8 neurons, 2 dead" in text
    assert main(["inspect", str(path), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["compressed widths"] == [4, 4, 5, 3]
    assert [c["sigma"] for c in facts["spaces"][1]][-2:] == [0.0, 0.0]


BAD: dict[str, tuple[list[str], str]] = {
    "missing file": (["inspect", "nowhere.npz"], "nowhere.npz"),
    "layer": (["diagonalise", "NET", "--layer", "5", "-o", "OUT"], "layer must be one of 0 … 1"),
    "space": (
        ["grow", "NET", "--space", "0", "--count", "1", "-o", "OUT"],
        "space must be a hidden",
    ),
    "tolerance": (
        ["prune", "NET", "--space", "1", "--tolerance", "1", "-o", "OUT"],
        "tolerance needs inputs or a radius",
    ),
    "inputs": (
        ["prune", "NET", "--space", "1", "--count", "1", "--inputs", "NET", "-o", "OUT"],
        "must hold one array of numbers",
    ),
    "output": (["compress", "NET", "-o", "no/such/folder/out.npz"], "no/such/folder"),
    "suffix": (["compress", "NET", "-o", "out.txt"], ".npz"),
}


@pytest.mark.parametrize("name", BAD)
def test_errors_exit_with_2_and_write_nothing(
    name: str, saved: tuple[Network, Path], capsys: pytest.CaptureFixture[str], monkeypatch: Any
) -> None:
    words, text = BAD[name]
    _, path = saved
    monkeypatch.chdir(path.parent)
    out = path.with_name("out.npz")
    chosen = [str(path) if w == "NET" else str(out) if w == "OUT" else w for w in words]
    assert main(chosen) == 2
    captured = capsys.readouterr()
    assert text in captured.err
    assert captured.out == ""
    assert sorted(p.name for p in path.parent.iterdir()) == ["net.npz"]


@pytest.mark.parametrize("command", COMMANDS)
def test_help_teaches(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main([command, "--help"])
    text = capsys.readouterr().out
    assert f"isoref {command}" in text
    assert len(text.split()) > 30
