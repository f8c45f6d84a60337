"""`isoref verify`: everything holds, and each check fails on its mutants."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import chain
from typing import Any

import numpy as np
import pytest

from isoref import (
    Network,
    Unrolled,
    certificate,
    edits,
    forward,
    load,
    perceptron,
    propagation,
    sparsify,
    structure,
    tree_map,
)
from isoref.cli import main
from isoref.diagonal import Report
from isoref.edits import Drop, Grow, Materialise, Rotate
from isoref.gauge import rotate, rotation_deviation
from isoref.network import Tangent, entry_map
from isoref.perceptron import State
from isoref.profiles import tanh
from isoref.training import (
    AdamW,
    Budget,
    Orthogonalised,
    Recorded,
    Run,
    adaptation,
    budget,
    optimiser,
)
from isoref.training.state import transport
from isoref.verification import (
    Check,
    adaptation_laws,
    derivatives,
    forms,
    limits,
    profiles,
    surgery,
    symmetry,
    trained,
    training_laws,
)
from isoref.verification.cases import Case, random_cases

Patch = Callable[[pytest.MonkeyPatch], None]


def test_main_job_holds_and_reports(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", "--json", "--seed", "1"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["holds"]
    assert len(report["checks"]) >= 140
    for check in report["checks"]:
        assert check["holds"], check
        assert check["cases"] > 0
        assert check["ratio"] <= 1


def elementwise(profile: Any, a: Any, q: Any) -> State:
    _, gain, r, u = perceptron.activation(profile, a, q)
    return State(profile.sigma(np.abs(a)) * np.sign(a), gain, r, u)


def naive_polar(xp: Any, a: Any, q: Any) -> Any:
    with np.errstate(all="ignore"):
        r = np.maximum(np.sqrt((a * a).sum(axis=1, keepdims=True) + q), np.finfo(a.dtype).tiny)
        return r, a / r


def nan_polar(xp: Any, a: Any, q: Any) -> Any:
    with np.errstate(all="ignore"):
        r = np.sqrt((a * a).sum(axis=1, keepdims=True) + q)
        return r, a / r


def epsilon_polar(xp: Any, a: Any, q: Any) -> Any:
    r = np.sqrt((a * a).sum(axis=1, keepdims=True) + q + 1e-6)
    return r, a / r


def no_psi(layer: Any, h: Any, g: Any) -> Any:
    return h @ layer.weight.T + layer.bias


def no_kappa_jvp(profile: Any, state: State, a_dot: Any, q_dot: Any) -> Any:
    return perceptron.activation_jvp(profile, state, a_dot, q_dot * 0)


def no_radial_vjp(profile: Any, state: State, hbar: Any, gbar: Any) -> Any:
    _, qbar = perceptron.activation_vjp(profile, state, hbar, gbar)
    return state.g * hbar, qbar


def no_psi_bar(layer: Any, h: Any, g: Any, abar: Any) -> Any:
    entries, hbar, gbar = perceptron.affine_vjp(layer, h, g, abar)
    return {k: v * 0 if k == "psi" else v for k, v in entries.items()}, hbar, gbar


def one_sided(tree: Any, space: int, R: Any) -> Any:
    return tree_map(lambda v, spaces: R @ v if spaces[:1] == (space,) else v, tree)


def patching(place: Any, name: str, mutant: Any) -> Patch:
    return lambda monkeypatch: monkeypatch.setattr(place, name, mutant)


def cancelling_delta(self: Any, xp: Any, r: Any) -> Any:
    return self._sigma_prime(xp, r) - self._gamma(xp, r)


def few(dtype: str) -> list[Case]:
    return list(random_cases(dtype, 0))[4::11]


FAMILIES = dict.fromkeys(("sparsify", "unrolled", "gauge", "files"), "forms") | dict.fromkeys(
    ("controller", "budget"), "adaptation"
)

VARIED = (*training_laws.RULES[1:4], training_laws.RULES[-1])

GROUPS: dict[str, Callable[[str], Iterator[Check]]] = {
    "equivariance": lambda dtype: symmetry.equivariance(dtype, 0),
    "invariance": lambda dtype: symmetry.invariance(few(dtype), dtype, 0),
    "derivatives": lambda dtype: derivatives.checks(few(dtype), dtype, entries=20),
    "surgery": lambda dtype: chain(
        surgery.exact(few(dtype), dtype, 0), surgery.certificates(few(dtype), dtype)
    ),
    "forms": lambda dtype: forms.checks(few(dtype), dtype, 0),
    "limits.zero": limits.zero,
    "limits.range": limits.whole_range,
    "optimisers": lambda dtype: chain(
        training_laws.checks(few(dtype), dtype, 0, VARIED), training_laws.refusals(dtype)
    ),
    "adaptation": lambda dtype: adaptation_laws.checks(few(dtype), dtype, 0),
    "log": adaptation_laws.logs,
}


def drop_without(name: str) -> Any:
    def apply(self: Drop, net: Network) -> Network:
        done = APPLY(self, net)
        layers = list(done.layers)
        if name == "psi":
            psi = net.layers[self.space].psi
            layers[self.space] = replace(layers[self.space], psi=psi)
        else:
            q = net.layers[self.space - 1].q
            layers[self.space - 1] = replace(layers[self.space - 1], q=q)
        return Network(layers, net.profile)

    return apply


APPLY = Drop.apply


def identities(net: Network, _: Network) -> dict[int, Any]:
    return {s: np.eye(net.widths[s], dtype=net.reference.dtype) for s in range(1, net.depth + 1)}


def reread(path: Any) -> Network:
    net = load(path)
    last = replace(net.layers[-1], bias=-net.layers[-1].bias)
    return Network([*net.layers[:-1], last], net.profile)


def q_for_o(self: Materialise, net: Network) -> Network:
    done, q = MATERIALISED(self, net), net.layers[self.space - 1].q
    layers = list(done.layers)
    bias = np.array(layers[self.space - 1].bias)
    bias[-1] = q
    layers[self.space - 1] = replace(layers[self.space - 1], bias=bias)
    return Network(layers, net.profile)


MATERIALISED = Materialise.apply


def busy(self: Grow, net: Network) -> Network:
    done = GROWN(self, net)
    layers = list(done.layers)
    layers[self.space - 1] = replace(layers[self.space - 1], bias=layers[self.space - 1].bias + 1)
    return Network(layers, net.profile)


GROWN = Grow.apply


def swapped(self: structure.Diagonal, h: Any) -> Any:
    return (h @ self.dense().T)[:, ::-1]


def unsparsified(net: Network) -> Any:
    return net, sparsify(net)[1]


def backwards(self: Rotate, moment: Tangent) -> Tangent:
    return rotate(moment, self.space, self.R.T)


def without_q(self: Rotate, moment: Tangent) -> Tangent:
    turned = rotate(moment, self.space, self.R)
    return entry_map(lambda v, name: v * (name != "q"), turned)


def by_rows(_: Orthogonalised, matrix: Any) -> Any:
    lengths = np.linalg.norm(matrix, axis=1, keepdims=True)
    return matrix / np.where(lengths == 0, 1, lengths)


def wide_steps(self: Orthogonalised, matrix: Any) -> Any:
    return NEWTON(self, matrix) * matrix.dtype.type(np.sqrt(len(matrix)))


NEWTON = Orthogonalised.orthogonal


def adam_commutes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(AdamW, "commutes", True)
    monkeypatch.setattr(AdamW, "squares", frozenset())


def adam_by_tensor(self: AdamW, scratch: Any, constants: Any, *parts: Any) -> None:
    point, slope, first, second = parts
    ADAM(self, scratch, constants, point, slope * 0 + np.sqrt((slope**2).mean()), first, second)


ADAM = AdamW._block


def with_history(self: Grow, moment: Tangent) -> Tangent:
    return self._grown(moment, self.columns + self.columns.dtype.type(1))


def first_ones(self: Drop, moment: Tangent) -> Tangent:
    kept = np.arange(len(self.neurons), moment.widths[self.space])
    return edits.taken(moment, self.space, kept)


def public_rule(net: Network, space: int, threshold: float) -> Any:
    factors, _ = WEAK(net, space, threshold)
    return factors, int((factors[1] <= threshold).sum())


def one_too_many(net: Network, space: int, threshold: float) -> Any:
    factors, count = WEAK(net, space, threshold)
    return factors, count + 1


WEAK = adaptation._weak


def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (certificate, budget):
        monkeypatch.setattr(module, "downstream", lambda *_: 1e-3)


def spendthrift(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Budget, "_fits", lambda *_: True)
    monkeypatch.setattr(
        budget, "_plan", lambda net, *_: {s: n - 1 for s, n in enumerate(net.widths[1:-1], 1)}
    )


def unmoved(self: Recorded, net: Network, when: Any) -> Any:
    found = RECORDED(self, net, when)
    if found is None:
        return None
    still = [
        Rotate(edit.space, np.eye(len(edit.R), dtype=edit.R.dtype))
        if isinstance(edit, Rotate)
        else edit
        for edit in found[1].edits
    ]
    return found[0], Report(tuple(still))


RECORDED = Recorded.edit


MUTANTS: list[tuple[str, Patch]] = [
    ("equivariance", patching(propagation, "activation", elementwise)),
    ("invariance", patching(propagation, "activation", elementwise)),
    ("invariance", patching(symmetry, "rotate", one_sided)),
    ("derivatives.value", patching(propagation, "affine", no_psi)),
    ("derivatives.value", patching(propagation, "activation", elementwise)),
    ("derivatives.jvp", patching(propagation, "activation_jvp", no_kappa_jvp)),
    ("derivatives.vjp", patching(propagation, "activation_vjp", no_radial_vjp)),
    ("derivatives.vjp", patching(propagation, "affine_vjp", no_psi_bar)),
    ("derivatives.adjoint", patching(propagation, "activation_vjp", no_radial_vjp)),
    ("derivatives.moment", patching(propagation, "affine_vjp", no_psi_bar)),
    ("compress", patching(Drop, "apply", drop_without("psi"))),
    ("compress", patching(Drop, "apply", drop_without("q"))),
    ("drop.dead", patching(Drop, "apply", drop_without("psi"))),
    ("drop.dead", patching(Drop, "apply", drop_without("q"))),
    ("materialise", patching(Materialise, "apply", q_for_o)),
    ("grow", patching(Grow, "apply", busy)),
    ("diagonalise", patching(edits, "rotate", one_sided)),
    ("certificate", patching(certificate, "downstream", lambda *_: 1e-3)),
    ("sparsify", patching(structure.Diagonal, "apply", swapped)),
    ("sparsify.zeros", patching(forms, "sparsify", unsparsified)),
    ("unrolled", patching(Unrolled, "__call__", lambda self, x: forward(self.net, 2 * x))),
    ("gauge.found", patching(forms, "gauge_between", lambda *_: None)),
    ("gauge.found", patching(forms, "gauge_between", identities)),
    ("gauge.refused", patching(forms, "gauge_between", identities)),
    ("files", patching(forms, "load", reread)),
    ("limits.zero", patching(perceptron, "polar", epsilon_polar)),
    ("limits.zero", patching(perceptron, "polar", nan_polar)),
    ("limits.range", patching(perceptron, "polar", naive_polar)),
    ("optimisers.rotate", patching(Rotate, "pad", backwards)),
    ("optimisers.rotate", patching(Rotate, "pad", lambda self, moment: moment)),
    ("optimisers.rotate", patching(Rotate, "pad", without_q)),
    ("optimisers.rotate", patching(Orthogonalised, "orthogonal", by_rows)),
    ("optimisers.rotate", patching(optimiser, "norm", lambda v: float(np.abs(v).sum()))),
    ("optimisers.rotate", adam_commutes),
    ("optimisers.grow", patching(Grow, "pad", with_history)),
    ("optimisers.grow", patching(Orthogonalised, "orthogonal", wide_steps)),
    ("optimisers.drop", patching(Drop, "pad", first_ones)),
    ("optimisers.refuse", adam_commutes),
    ("optimisers.refuse", patching(AdamW, "_block", adam_by_tensor)),
    (
        "optimisers.refuse",
        patching(training_laws, "transport", lambda s, e: transport(s, e, approximate=True)),
    ),
    ("controller.settles", patching(adaptation, "_weak", public_rule)),
    ("controller.settles", patching(adaptation, "_weak", one_too_many)),
    ("controller.nulls", patching(adaptation, "_weak", public_rule)),
    ("controller.grow", patching(Grow, "apply", busy)),
    ("controller.certified", cheap),
    ("budget.total", patching(Budget, "spent", lambda *_: 0.0)),
    ("budget.total", spendthrift),
    ("budget.measured", cheap),
    ("log", patching(Recorded, "edit", unmoved)),
    ("log", patching(Recorded, "edit", lambda *_: None)),
]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(("check", "patch"), MUTANTS)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_each_check_kills_its_mutants(
    check: str, patch: Patch, dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = check if check.startswith("limits") else check.split(".")[0]
    group = GROUPS[name if name in GROUPS else FAMILIES.get(name, "surgery")]
    patch(monkeypatch)
    found = [c for c in group(dtype) if c.id.startswith(check) and c.id.endswith(dtype)]
    assert found
    assert not all(c.holds for c in found)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("group", GROUPS)
def test_each_group_holds_without_a_mutant(group: str, dtype: str) -> None:
    assert all(check.holds for check in GROUPS[group](dtype))


def test_profile_table_kills_a_cancelling_delta(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(tanh), "_delta", cancelling_delta)
    failed = {check.id for check in profiles.checks() if not check.holds}
    assert "profiles.delta.float64" in failed


def test_an_untrained_network_does_not_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        trained, "train", lambda net, *_, optimiser, **__: Run(net, optimiser.start(net))
    )
    assert not trained.digits("float64", np.random.default_rng(0)).accuracy.holds


def test_nothing_tested_is_no_pass() -> None:
    (check,) = symmetry.invariance([], "none", 0)
    assert check.cases == 0
    assert not check.holds


def test_exit_codes(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    from isoref import verification

    good = Check("a", "law", 1, 0.0, 0.0, 0.0, "")
    bad = Check("b", "law", 1, 2.0, 1.0, 2.0, "here [0]")
    for checks, code in (([good], 0), ([good, bad], 1), ([], 3)):
        monkeypatch.setattr(verification, "run", lambda *_, found=checks, **__: iter(found))
        assert main(["verify"]) == code
    assert "DOES NOT HOLD: here [0]" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="2"):
        main(["verify", "--seed", "-1"])
    with pytest.raises(SystemExit, match="2"):
        main(["unknown"])
    assert main([]) == 2


def test_deviation_of_a_rotation_covers_what_float32_does() -> None:
    case = next(iter(random_cases("float32", 3)))
    zero = Tangent.zeros(case.net)
    R = np.eye(case.net.widths[1], dtype="float32")
    spread = rotation_deviation(case.net, zero, 1, R)
    assert all((layer.weight >= 0).all() for layer in spread.layers)
    assert (spread.layers[0].weight > 0).all()
