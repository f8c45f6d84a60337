"""The command line on network files: it writes the same function, and errors say what to do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from isoref import Network, bounds, forward, prune
from isoref.cli import COMMANDS, main
from isoref.files import load, save
from isoref.inspection import connections
from isoref.tolerance import compare
from isoref.topology import grow
from isoref.verification.cases import network
from isoref.verification.images import Plan, case

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
    assert captured.err.count(text) == 1
    assert "Errno" not in captured.err
    assert captured.out == ""
    assert sorted(p.name for p in path.parent.iterdir()) == ["net.npz"]


# Convolutions and skips

IMAGES = Plan((2, 6, 5), ((4, (3, 3), {"padding": 1}), (5, (2, 2), {}), (2, (1, 1), {"pool": 0})))
SKIPPING = Plan((3,), ((4, (), {}), (4, (), {}), (5, (), {}), (2, (), {})), ((1, 2),))
PLANS = {"images": IMAGES, "skips": SKIPPING}


@pytest.fixture
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Network, Path, Any]:
    one = case(PLANS[request.param], "tanh", 0.5, "float64", np.random.default_rng(0))
    path = tmp_path / "net.npz"
    save(one.net, path)
    np.save(tmp_path / "x.npy", one.x)
    return one.net, path, one.x


@pytest.mark.parametrize(
    ("kept", "words"),
    [
        ("images", ["diagonalise", "--layer", "1", "--side", "both"]),
        ("images", ["diagonalise", "--layer", "0", "--augmented"]),
        ("images", ["grow", "--space", "2", "--count", "3"]),
        ("images", ["compress"]),
        ("images", ["sparsify"]),
        ("skips", ["diagonalise", "--layer", "1", "--side", "left"]),
        ("skips", ["grow", "--space", "2", "--count", "3"]),
        ("skips", ["compress"]),
        ("skips", ["sparsify"]),
    ],
    indirect=["kept"],
)
def test_images_and_skips_keep_their_function(
    words: list[str], kept: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    net, path, x = kept
    out = path.with_name("out.npz")
    assert main([words[0], str(path), "-o", str(out), *words[1:]]) == 0
    assert ("of the input channels" in capsys.readouterr().out) == ("both" in words)
    other = load(out)
    assert other.skips == net.skips
    assert [layer.reading for layer in other.layers] == [layer.reading for layer in net.layers]
    # As above.
    limit = 3 * (bounds(net, x).y + bounds(other, x).y)
    assert compare(forward(other, x), forward(net, x), limit).rho <= 1


@pytest.mark.parametrize("kept", ["images"], indirect=True)
def test_certificates_of_images_need_their_extents(
    kept: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    net, path, x = kept
    out, given = path.with_name("out.npz"), ["--inputs", str(path.with_name("x.npy"))]
    radius = float(np.linalg.norm(x.reshape(len(x), -1), axis=1).max())
    ball = ["--radius", repr(radius), "--image", "6,5"]
    words = ["prune", str(path), "--space", "1", "--count", "2", "-o", str(out), "--json"]
    for options in (given, [*given, "--image", "6,5"], ball):
        assert main([*words, *options]) == 0
        facts = json.loads(capsys.readouterr().out)
        moved = (forward(load(out), x) - forward(net, x)).reshape(len(x), -1)
        change = np.linalg.norm(moved, axis=1).max()
        assert change <= facts["bound on ‖Δy‖"]
        assert facts["holds for"].startswith("the 2" if options[0] == "--inputs" else "every")
    assert facts["holds for"] == f"every input of extents (6, 5) with ‖x‖ ≤ {radius!r}"
    bounded = [*words[:4], "--tolerance", str(2 * facts["bound on ‖Δy‖"]), *words[6:]]
    assert main([*bounded, *ball]) == 0
    assert json.loads(capsys.readouterr().out)["removed"] >= 2


@pytest.mark.parametrize("kept", ["images"], indirect=True)
def test_inspect_shows_images(kept: Any, capsys: pytest.CaptureFixture[str]) -> None:
    net, path, _ = kept
    words = ["inspect", str(path), "--radius", "2", "--image", "6,5"]
    assert main(words) == 0
    text = capsys.readouterr().out
    assert f"tanh 2-4-5-2, kernels 3×3, 2×2, 1×1, {net.parameter_count} parameters" in text
    assert "space 2: 5 neurons, 0 dead" in text
    assert main([*words, "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["kernels"] == [[3, 3], [2, 2], [1, 1]]
    assert facts["compressed widths"] == [2, 4, 5, 2]
    assert facts["zeros"] == facts["parameters stored"] - facts["sparsified"] == 6 + 10
    want = [connections(net, s, 2.0, (6, 5)) for s in (1, 2)]
    assert facts["spaces"] == [[c._asdict() for c in space] for space in want]


@pytest.mark.parametrize("kept", ["skips"], indirect=True)
def test_inspect_shows_skips(kept: Any, capsys: pytest.CaptureFixture[str]) -> None:
    _, path, _ = kept
    assert main(["inspect", str(path), "--radius", "2"]) == 0
    text = capsys.readouterr().out
    assert "tanh 3-4-4-5-2, skips 1→2" in text
    assert "space 2: 4 neurons, one basis for the spaces 1, 2" in text
    assert "space 3: 5 neurons, 0 dead" in text
    assert main(["inspect", str(path), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["skips"] == [[1, 2]]
    assert facts["zeros"] == facts["parameters stored"] - facts["sparsified"] == 6 + 10
    assert facts["spaces"][:2] == [None, None]
    assert len(facts["spaces"][2]) == 5


@pytest.mark.parametrize("kept", ["skips"], indirect=True)
def test_a_space_of_its_own_is_pruned_beside_skips(
    kept: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    net, path, x = kept
    out = path.with_name("out.npz")
    words = ["prune", str(path), "--space", "3", "--count", "1", "-o", str(out), "--json"]
    assert main([*words, "--inputs", str(path.with_name("x.npy"))]) == 0
    facts = json.loads(capsys.readouterr().out)
    change = np.linalg.norm(forward(load(out), x) - forward(net, x), axis=1).max()
    assert facts["measured ‖Δy‖"] == change <= facts["bound on ‖Δy‖"]


def test_prune_tells_what_all_connected_spaces_discard(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    net = Network.random((3, 4, 4, 2), q=0.1, seed=0)
    net = Network(net.layers, net.profile, skips=[(1, 2)])
    save(net, tmp_path / "net.npz")
    words = ["--space", "2", "--count", "1", "--radius", "2", "-o", str(tmp_path / "out.npz")]
    assert main(["prune", str(tmp_path / "net.npz"), *words, "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["widths"] == [[3, 4, 4, 2], [3, 3, 3, 2]]
    _, found = prune(net, 2, count=1, radius=2.0)
    assert facts["  discarded in space 1"] == found.others[0].discarded
    assert facts["bound on ‖Δy‖"] == found.bound


PRUNE = ["prune", "NET", "--space", "1", "--count", "1", "-o", "OUT"]
SHARED = "skips connect the spaces (1, 2)"
REFUSED: list[tuple[str, list[str], str]] = [
    (
        "images",
        ["diagonalise", "NET", "--layer", "1", "--side", "full", "-o", "OUT"],
        "side='both'",
    ),
    ("images", PRUNE, "--image must be ROWS,COLUMNS, the extents of the input images"),
    ("images", [*PRUNE, "--radius", "2", "--image", "6"], "got 6"),
    ("images", [*PRUNE, "--radius", "2", "--image", "1,1"], "must fit the padded image"),
    (
        "images",
        [*PRUNE, "--inputs", "x.npy", "--image", "5,6"],
        "image must be (6, 5), the extents",
    ),
    ("images", ["inspect", "NET"], "--image must be ROWS,COLUMNS"),
    ("images", [*PRUNE, "--inputs", "flat.npy"], "must have shape (B, 2, rows, columns)"),
    ("skips", ["diagonalise", "NET", "--layer", "1", "--side", "full", "-o", "OUT"], SHARED),
    ("skips", ["diagonalise", "NET", "--layer", "2", "--side", "both", "-o", "OUT"], "side='full'"),
    ("skips", ["inspect", "NET", "--image", "3"], "--image is for convolutions"),
]


@pytest.mark.parametrize(("kept", "words", "text"), REFUSED, indirect=["kept"])
def test_what_has_no_law_exits_with_2_and_its_sentence(
    words: list[str],
    text: str,
    kept: Any,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _, path, _ = kept
    monkeypatch.chdir(path.parent)
    np.save("flat.npy", np.ones((2, 2)))
    files = {"NET": str(path), "OUT": "out.npz"}
    assert main([files.get(word, word) for word in words]) == 2
    captured = capsys.readouterr()
    assert text in captured.err
    assert captured.out == ""
    assert not Path("out.npz").exists()


@pytest.mark.parametrize("extents", ["", "8,", "8,8,8", "0,4", "a", "8x8"])
def test_extents_are_whole_numbers(extents: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["inspect", "net.npz", f"--image={extents}"])
    assert "must be one or two whole numbers from 1 on, as in 8,8" in capsys.readouterr().err


@pytest.mark.parametrize("command", COMMANDS)
def test_help_teaches(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main([command, "--help"])
    text = capsys.readouterr().out
    assert f"isoref {command}" in text
    assert len(text.split()) > 30
