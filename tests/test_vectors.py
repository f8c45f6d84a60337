"""The vectors: what isoref gets, what mutants get, damage, export, and computing them again."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from isoref import forward, perceptron, propagation
from isoref.cli import main
from isoref.conformance.adapters.reference import Adapter
from isoref.conformance.checks.forms import unfolded
from isoref.conformance.judge import judged
from isoref.conformance.numerics import limit
from isoref.conformance.recomputed import different
from isoref.conformance.schema import FEATURES
from isoref.conformance.vectors import FOLDER, Case, Corpus, CorpusError, export, load
from isoref.layer import AXES
from isoref.tolerance import ARITHMETIC
from tests.oracles.mutants import MUTANTS

CHECKS = (
    *("L1.values", "L2.values", "L3.activation", "L3.jacobian", "L3.jvp", "L3.backward"),
    *("L4.rotate", "L4.diagonalise", "L5.grow", "L5.drop", "L5.prune", "L6.step", "L6.transport"),
)
WITHOUT = ("L1.values", "L3.activation", "L3.jacobian", "L5.drop", "L5.prune")
FEATURED = [name for name in CHECKS if name not in WITHOUT]
DTYPES = ("float64", "float32")
TF32 = ARITHMETIC["float32"]._replace(operand=2.0**-11)


@cache
def corpus() -> Corpus:
    return load()


def results(case: Case, dtype: Any) -> dict[str, Any]:
    """Return what isoref makes of a case, by the names of what is expected."""
    return RUNS[case.check](case, np.dtype(dtype))


def _values(case: Case, dtype: Any) -> dict[str, Any]:
    h, g = Adapter().activation(case.profile, case.array("a", dtype), case.array("q", dtype))
    return {"h": h, "g": g}


def _activation(case: Case, dtype: Any) -> dict[str, Any]:
    given = (case.array(name, dtype) for name in ("a", "q", "hbar", "gbar"))
    abar, qbar = Adapter().activation_vjp(case.profile, *given)
    return {"abar": abar, "qbar": qbar}


def _jacobian(case: Case, dtype: Any) -> dict[str, Any]:
    a, q = case.array("a", dtype), case.array("q", dtype)
    n = a.shape[1]
    unit, zero = np.eye(n, dtype=dtype), np.zeros((n, 1), dtype)
    return {
        "jacobian": Adapter().activation_vjp(case.profile, np.repeat(a, n, 0), q, unit, zero)[0]
    }


def _forward(case: Case, dtype: Any) -> dict[str, Any]:
    return {"y": Adapter().forward(case.network(dtype), case.array("x", dtype))}


def _jvp(case: Case, dtype: Any) -> dict[str, Any]:
    moving = case.tangent("dot", dtype), case.array("x_dot", dtype)
    y, ydot = Adapter().jvp(case.network(dtype), case.array("x", dtype), *moving)
    return {"y": y, "y_dot": ydot}


def _backward(case: Case, dtype: Any) -> dict[str, Any]:
    given = case.array("x", dtype), case.array("ybar", dtype)
    gradient, xbar = Adapter().backward(case.network(dtype), *given)
    return {"xbar": xbar, **_named("gradient", gradient)}


def _rotate(case: Case, dtype: Any) -> dict[str, Any]:
    space = case.settings["space"]
    return _named("net", Adapter().rotate(case.network(dtype), space, case.array("R", dtype)))


def _diagonalise(case: Case, dtype: Any) -> dict[str, Any]:
    layer, side = case.settings["layer"], case.settings["side"]
    got = Adapter().diagonalise(case.network(dtype), layer, side)
    values = np.linalg.svd(unfolded(got, layer, side), compute_uv=False)
    return {"singular_values": values, "y": forward(got, case.array("x", dtype))}


def _grow(case: Case, dtype: Any) -> dict[str, Any]:
    space, count = case.settings["space"], case.settings["count"]
    return {"y": forward(Adapter().grow(case.network(dtype), space, count), case.array("x", dtype))}


def _drop(case: Case, dtype: Any) -> dict[str, Any]:
    space, neurons = case.settings["space"], case.settings["neurons"]
    got = Adapter().drop(case.network(dtype), space, neurons, case.array("values", dtype))
    return {**_named("net", got), "y": forward(got, case.array("x", dtype))}


def _prune(case: Case, dtype: Any) -> dict[str, Any]:
    space, count = case.settings["space"], case.settings["count"]
    got = Adapter().prune(case.network(dtype), space, count)
    return {"y": forward(got, case.array("x", dtype)), "q": got.layers[space - 1].q}


def _step(case: Case, dtype: Any) -> dict[str, Any]:
    gradient = case.tangent("gradient", dtype)
    given = _state(case, dtype), gradient, case.settings["optimiser"]
    net, after = Adapter().step(case.network(dtype), *given)
    return {**_named("net", net), **_moments(after)}


def _transport(case: Case, dtype: Any) -> dict[str, Any]:
    space, R = case.settings["space"], case.array("R", dtype)
    return _moments(Adapter().transport(case.network(dtype), _state(case, dtype), space, R))


def _state(case: Case, dtype: Any) -> dict[str, Any]:
    names = dict.fromkeys(k.split(".")[1] for k in case.inputs if k.startswith("state."))
    moments = {name: case.tangent(f"state.{name}", dtype) for name in names}
    return {"steps": case.settings.get("steps", 0), "moments": moments}


def _moments(state: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, tree in state["moments"].items():
        found |= _named(f"state.{name}", tree)
    return found


def _named(prefix: str, tree: Any) -> dict[str, Any]:
    return {
        f"{prefix}.{i}.{name}": np.asarray(getattr(layer, name))
        for i, layer in enumerate(tree.layers)
        for name in AXES
        if getattr(layer, name) is not None
    }


RUNS: dict[str, Callable[[Case, Any], dict[str, Any]]] = {
    "L1.values": _values,
    "L2.values": _forward,
    "L3.activation": _activation,
    "L3.jacobian": _jacobian,
    "L3.jvp": _jvp,
    "L3.backward": _backward,
    "L4.rotate": _rotate,
    "L4.diagonalise": _diagonalise,
    "L5.grow": _grow,
    "L5.drop": _drop,
    "L5.prune": _prune,
    "L6.step": _step,
    "L6.transport": _transport,
}


def rho(case: Case, dtype: str) -> float | None:
    """Return the worst ρ of isoref in a case; None where nothing can be told."""
    got, worst = results(case, dtype), []
    for name, want in case.expected.items():
        if case.observable(name, ARITHMETIC[dtype]):
            bound = limit(want.gauges, ARITHMETIC[dtype])
            found = judged(name, got[name], want.value, bound)
            worst += [found.rho] if found.observable else []
    return max(worst, default=None)


# What is there


def test_the_corpus_is_large_enough_and_small_enough() -> None:
    assert len(corpus().all) >= 1500
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 4_000_000


@pytest.mark.parametrize("check", CHECKS)
def test_every_check_has_every_profile_and_family(check: str) -> None:
    cases = corpus().cases[check]
    names = {case.profile.name.split("(")[0] for case in cases}
    assert len(names) == 10
    assert {case.family for case in cases} == {8, 24, 53}
    if check in ("L1.values", "L2.values", "L3.backward"):
        assert len({case.profile.name for case in cases}) == 11


def test_every_flag_of_the_contract_and_every_feature_is_there() -> None:
    flags = {flag for case in corpus().all for flag in case.flags}
    assert flags >= {
        *("small radius", "subnormal", "near overflow", "saturation", "zero radius", "width 1"),
        *("wide > fan-in", "no rows", "deep", "q > 0", "threshold", "dead", "constant"),
        *("pooling", "cancellation", "zero vector", "q would be negative", "repeated"),
        *("rank one", "zero weight", "squares underflow", "squares overflow"),
    }
    for check in ("L5.drop", "L5.prune"):
        kinds = {frozenset(case.features) - {"psi"} for case in corpus().cases[check]}
        assert len(kinds) == 4, "dense, kernels, skips, both"
    moments = {name.split(".")[1] for c in corpus().cases["L6.transport"] for name in c.expected}
    assert moments == {"velocity", "first", "second"}
    for feature in FEATURES:
        for check in FEATURED:
            assert any(feature in case.features for case in corpus().cases[check])
            assert any(feature not in case.features for case in corpus().cases[check])
    assert all(case.note for case in corpus().all)


def test_an_implementation_without_psi_meets_none() -> None:
    """Kills a gradient of ψ that is expected of one that has no ψ."""
    for case in corpus().all:
        if "psi" not in case.features:
            assert not any(k.endswith("psi") and v.any() for k, v in case.inputs.items()), case.id
            for name, want in case.expected.items():
                assert not name.endswith("psi") or not want.value.any(), (case.id, name)


@pytest.mark.parametrize("check", CHECKS)
def test_inputs_have_the_bits_of_their_family(check: str) -> None:
    for case in corpus().cases[check]:
        for name, array in case.inputs.items():
            if case.family < 53:
                assert (array.astype("f").astype(float) == array).all(), (case.id, name)
                mantissa = np.ldexp(np.abs(np.frexp(array)[0]), case.family)
                assert (mantissa == np.round(mantissa)).all(), (case.id, name)


# isoref and mutants


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("check", CHECKS)
def test_isoref_meets_every_case(check: str, dtype: str) -> None:
    cases = [case for case in corpus().cases[check] if case.fits(np.dtype(dtype))]
    found = {case.id: rho(case, dtype) for case in cases}
    seen = {name: value for name, value in found.items() if value is not None}
    assert len(seen) >= 0.97 * len(cases), set(found) - set(seen)
    worst = max(seen, key=lambda name: seen[name])
    assert seen[worst] <= 0.5, (worst, seen[worst])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("place", "mutant"), [(place, mutant) for place, group in MUTANTS.items() for mutant in group]
)
def test_mutants_are_killed(
    place: str, mutant: Callable[..., Any], dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    level = {"activation": "L1", "activation_vjp": "L3.activation", "activation_jvp": "L3.jvp"}
    check = level.get(place, "L2.values" if place == "affine" else "L3.backward")
    cases = [c for name in CHECKS if name.startswith(check) for c in corpus().cases[name]]
    monkeypatch.setattr(propagation, place, mutant)
    monkeypatch.setattr(perceptron, place, mutant)
    with np.errstate(all="ignore"):
        killed = sum(
            (rho(case, dtype) or 0) > 1
            for case in cases
            if case.fits(np.dtype(dtype))
            and case.profile.name in ("tanh", "squash", "log1p")
            and "no rows" not in case.flags
        )
    assert killed >= 1, killed


def test_a_coarse_arithmetic_loses_what_cancels_and_keeps_the_rest() -> None:
    lost = [c for c in corpus().all if not c.observable("y", TF32)]
    assert any("cancellation" in c.flags for c in lost)
    assert len(lost) < 0.1 * len(corpus().all)
    assert all(c.observable("net.0.weight", TF32) for c in lost)


def test_what_lies_on_a_kink_says_nothing() -> None:
    cases = [c for c in corpus().cases["L1.values"] if "unobservable" in c.flags]
    assert len(cases) == 6
    for case in cases:
        assert np.isinf(case.expected["h"].gauges[:, :2]).all()
        assert np.isfinite(case.expected["h"].gauges[:, 2:]).all()


def test_zeros_are_exact() -> None:
    """Kills a bound that lets noise stand where all terms are 0."""
    case = next(c for c in corpus().cases["L1.values"] if "zero radius" in c.flags)
    want = case.expected["h"]
    zero = (case.inputs["a"] == 0).all(axis=1)
    assert zero.any()
    assert (want.gauges[:, zero] == 0).all()
    assert (want.gauges[2, ~zero] > 0).all()


# Damage


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    export(tmp_path / "vectors")
    return tmp_path / "vectors"


def _changed(folder: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
    change(manifest)
    (folder / "manifest.json").write_text(json.dumps(manifest), "utf-8")


def test_a_flipped_byte_and_a_missing_file_are_found(copied: Path) -> None:
    path = copied / "networks.npz"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(CorpusError, match=r"networks.npz must have the sha256"):
        load(copied)
    path.unlink()
    with pytest.raises(CorpusError, match="cannot be read"):
        load(copied)
    (copied / "manifest.json").unlink()
    with pytest.raises(CorpusError, match="cannot be read"):
        load(copied)


def test_a_changed_gauge_is_found_by_its_hash_and_by_computing_again(copied: Path) -> None:
    _rewritten(copied, "gauges", 0.5)
    with pytest.raises(CorpusError, match="sha256"):
        load(copied)
    digest = hashlib.sha256((copied / "activation.npz").read_bytes()).hexdigest()
    _changed(copied, lambda manifest: manifest["files"].update({"activation.npz": digest}))
    changed = load(copied)
    assert changed.hash != corpus().hash
    assert any("gauge" in text for text in different(changed.all[0]))
    assert main(["vectors", "verify", "--sample", "3", "--vectors", str(copied)]) == 1


def _rewritten(folder: Path, name: str, factor: float) -> None:
    with np.load(folder / "activation.npz") as stored:
        arrays = dict(stored)
    arrays[name] = arrays[name] * factor
    np.savez_compressed(folder / "activation.npz", **arrays)


@pytest.mark.parametrize(("name", "factor"), [("gauges", -1.0), ("values", np.nan)])
def test_files_with_senseless_numbers_are_refused(copied: Path, name: str, factor: float) -> None:
    _rewritten(copied, name, factor)
    digest = hashlib.sha256((copied / "activation.npz").read_bytes()).hexdigest()
    _changed(copied, lambda manifest: manifest["files"].update({"activation.npz": digest}))
    with pytest.raises(CorpusError, match="is no file of vectors"):
        load(copied)


def _case(**entries: Any) -> Callable[[dict[str, Any]], Any]:
    return lambda manifest: manifest["cases"][0].update(entries)


VIOLATIONS: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "another format": (lambda m: m.update(format="x"), "format and version"),
    "a newer version": (lambda m: m.update(version=2), "format and version"),
    "no cases": (lambda m: m.pop("cases"), "missing or too much"),
    "cases of another type": (lambda m: m.update(cases={}), "must be a list"),
    "a path": (lambda m: m["files"].update({"../x.npz": "0"}), "beside the manifest"),
    "two ids": (lambda m: m["cases"].append(m["cases"][0]), "two cases have the id"),
    "a missing key": (lambda m: m["cases"][0].pop("note"), "missing or too much"),
    "an extra key": (_case(more=1), "missing or too much"),
    "an id of another check": (_case(check="L2.values"), "must begin with check and profile"),
    "another profile": (
        _case(profile="sinh", id="L1.values.sinh.001"),
        "a profile is expected",
    ),
    "another family": (_case(family=11), "must be one of"),
    "a truth for a number": (_case(family=True), "another type"),
    "another feature": (_case(features=["magic"]), "must be among"),
    "flags of another type": (_case(flags=[1]), "must be texts"),
    "a negative reach": (_case(reach=[0, 0, 0, -1]), "four numbers"),
    "nothing expected": (_case(expected={}), "must not be empty"),
    "a negative offset": (_case(expected={"h": [-1, [1]]}), "offset, shape"),
    "an offset beyond": (_case(expected={"h": [10**9, [1]]}), "are expected"),
    "a text for a shape": (_case(inputs={"a": [0, "3"]}), "offset, shape"),
    "another file": (_case(file="other"), "there is no"),
    "a bad geometry": (
        _case(network={"layers": 1, "geometry": [{"stride": 1}], "skips": []}),
        "missing or too much",
    ),
    "a bad skip": (_case(network={"layers": 0, "geometry": [], "skips": [[1]]}), "pairs of spaces"),
}


@pytest.mark.parametrize("name", VIOLATIONS)
def test_violations_of_the_schema_are_refused(copied: Path, name: str) -> None:
    change, sentence = VIOLATIONS[name]
    _changed(copied, change)
    with pytest.raises(CorpusError, match=sentence):
        load(copied)


def test_a_manifest_that_is_no_json_is_refused(copied: Path) -> None:
    for text in ("{", "[]", '"x"', "\x00"):
        (copied / "manifest.json").write_text(text, "utf-8")
        with pytest.raises(CorpusError, match="is no manifest"):
            load(copied)


# The command line


def test_export_copies_everything_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "a" / "vectors"
    assert main(["vectors", "export", str(target)]) == 0
    assert "README.md" in capsys.readouterr().out
    assert load(target).hash == corpus().hash
    assert {path.name for path in target.iterdir()} == {path.name for path in FOLDER.iterdir()}
    before = {path.name: path.stat().st_mtime_ns for path in target.iterdir()}
    assert main(["vectors", "export", str(target)]) == 2
    assert "nothing is replaced" in capsys.readouterr().err
    assert {path.name: path.stat().st_mtime_ns for path in target.iterdir()} == before
    file = tmp_path / "file"
    file.write_text("mine", "utf-8")
    assert main(["vectors", "export", str(file)]) == 2
    assert file.read_text("utf-8") == "mine"


def test_damaged_files_are_not_exported(copied: Path, tmp_path: Path) -> None:
    (copied / "gauge.npz").unlink()
    with pytest.raises(CorpusError):
        export(tmp_path / "copy", source=copied)
    assert not (tmp_path / "copy").exists()


def test_the_reader_of_the_page_reads_the_corpus(
    copied: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = (copied / "README.md").read_text("utf-8")
    code = page.partition("```python\n")[2].partition("```")[0]
    monkeypatch.chdir(copied)
    names: dict[str, Any] = {}
    exec(compile(code, "README.md", "exec"), names)
    case = next(c for c in names["manifest"]["cases"] if c["check"] == "L1.values")
    want = names["part"](names["stores"][case["file"] + ".npz"]["values"], case["expected"]["h"])
    own = next(c for c in corpus().all if c.id == case["id"])
    assert (want == own.expected["h"].value).all()
    assert names["worst"](case, "h", 1.01 * want, 2.0**-53, 2.0**-53, 2.0**-53, 0.0) > 1
    assert 80 <= len(page.splitlines()) <= 130


def test_an_id_that_is_not_the_next_is_found(
    copied: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ids are permanent: expected-failure files and reports name them."""
    _changed(copied, _case(id="L1.values.tanh.901"))
    assert main(["vectors", "verify", "--sample", "1", "--vectors", str(copied)]) == 1
    text = "L1.values.tanh.901: the id must be L1.values.tanh.001; ids count on, and stay"
    assert text in capsys.readouterr().out


def test_a_case_that_cannot_be_computed_is_told(
    copied: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _changed(copied, lambda m: m.update(cases=[c for c in m["cases"] if c["check"] == "L5.grow"]))
    _changed(copied, lambda m: m["cases"][0]["inputs"].pop("net.0.bias"))
    assert main(["vectors", "verify", "--sample", "1", "--vectors", str(copied)]) == 1
    assert "L5.grow.tanh.001: it cannot be computed: KeyError" in capsys.readouterr().out


def test_several_processes_find_what_one_does(
    copied: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = []
    _rewritten(copied, "values", 1.5)
    digest = hashlib.sha256((copied / "activation.npz").read_bytes()).hexdigest()
    _changed(copied, lambda manifest: manifest["files"].update({"activation.npz": digest}))
    for jobs in ("1", "2"):
        words = ["--sample", "4", "--jobs", jobs, "--vectors", str(copied)]
        assert main(["vectors", "verify", *words]) == 1
        found.append(capsys.readouterr().out)
    assert found[0] == found[1]
    assert "L1.values.tanh.001: h[0, 0] is -0x1.c061" in found[0]


def test_a_sample_is_what_the_oracle_computes_again(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["vectors", "verify", "--sample", "25"]) == 0
    assert "25 of" in capsys.readouterr().out


def test_exit_codes(copied: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["vectors", "verify", "--sample", "0"]) == 2
    assert main(["vectors", "verify", "--jobs", "0"]) == 2
    assert main(["vectors", "verify", "--vectors", str(tmp_path / "nowhere")]) == 3
    _changed(copied, lambda manifest: manifest.update(cases=[]))
    assert main(["vectors", "verify", "--vectors", str(copied)]) == 3
    with pytest.raises(SystemExit) as stop:
        main(["vectors"])
    assert stop.value.code == 2
    shutil.rmtree(copied)
    assert main(["vectors", "verify", "--vectors", str(copied)]) == 3
    assert "cannot be read" in capsys.readouterr().err
