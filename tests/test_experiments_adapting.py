"""Tasks, abundance, transport and saturation: what their trials do, and how they are judged."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from isoref import Network, forward
from isoref.experiments import (
    abundance,
    abundance_verdict,
    comparison,
    experiment,
    figures,
    saturation,
    saturation_verdict,
    tasks,
    tasks_arms,
    transport,
    transport_verdict,
)
from isoref.experiments.abundance import Abundance
from isoref.experiments.experiment import Results, Trial
from isoref.experiments.learning import fit, held_accuracy, outputs
from isoref.experiments.learning import samples as samples_of
from isoref.experiments.saturation import Saturation
from isoref.experiments.tasks_arms import ARMS, NAMES, SCHEDULE, Scheduled
from isoref.experiments.transport import Transport
from isoref.experiments.transport_verdict import Arm
from isoref.training import SGD, Run, Widths
from isoref.training.tasks import ABSENT, Tasks
from tests.test_data_files import written

SEEDS = 12
"""Of made-up results: enough for the tests to be able to reject."""


def made(name: str, settings: Any, numbers: Callable[[float], Mapping[str, Any]]) -> Results:
    """Return results in which `numbers` has been given a little noise for each seed."""
    noise = np.random.default_rng(0).normal(size=SEEDS) / 10
    trials = tuple(Trial(seed, numbers(float(noise[seed]))) for seed in range(SEEDS))
    return Results(name, "default", settings.told(), {}, trials)


def outcomes(name: str, results: Results) -> dict[str, str]:
    found = experiment(name).verdict(results).findings
    return {finding.statement: finding.outcome for finding in found}


# Abundance

SMALL = Abundance(widths=(3, 6), hold=2, over=3, settle=1)


def test_a_pair_of_widths_is_trained_as_if_pretraining_were_not_shared() -> None:
    found = abundance.trial(0, SMALL)
    parts = samples_of(SMALL, 0)
    for kind, basis in (("isotropic", "free"), ("elementwise", "fixed")):
        start = abundance.KINDS[kind](SMALL, parts, 0, hidden=(6, 6))
        rule = Widths(start=(6, 6), target=(3, 3), hold=2, over=3, basis=basis)
        run = fit(start, parts, SMALL, 0, epochs=6, rules=(rule,), approximate=basis == "free")
        assert run.net.widths == (64, 3, 3, 10)
        assert found[kind]["accuracy"]["6→3"] == pytest.approx(
            held_accuracy(run.net, parts), abs=0.01
        )
        same = fit(start, parts, SMALL, 0, epochs=6)
        assert found[kind]["accuracy"]["6→6"] == pytest.approx(
            held_accuracy(same.net, parts), abs=0.01
        )
        early = fit(start, parts, SMALL, 0, epochs=1)
        assert found[kind]["pretrained"]["6"] == held_accuracy(early.net, parts)


def abundant(shrunk: float, grown: float, control: float) -> Results:
    def numbers(noise: float) -> dict[str, Any]:
        found = {}
        for kind, more in (("isotropic", shrunk), ("elementwise", control)):
            accuracy = {
                "3→3": 80.0,
                "6→6": 90.0 - noise,
                "6→3": 80 + more + noise,
                "3→6": 90 + grown,
            }
            found[kind] = {
                "accuracy": accuracy,
                "pretraining": {"3": [], "6": []},
                "pretrained": {"3": 70.0 + noise, "6": 80.0 - noise},
                "curve": {name: [value, value] for name, value in accuracy.items()},
            }
        return found

    return made("abundance", SMALL, numbers)


@pytest.mark.parametrize(
    ("gain", "outcome"), [(2.0, "supported"), (-2.0, "not supported"), (0.0, "no clear difference")]
)
def test_starting_wide_is_judged_by_its_sign(gain: float, outcome: str) -> None:
    found = outcomes("abundance", abundant(gain, 0.0, gain))
    assert found["Starting with more neurons than at the end helps."] == outcome
    assert found["Starting with fewer neurons than at the end helps."] == "no clear difference"
    cheaper = "Removing neurons costs isotropic networks less than elementwise ones."
    assert found[cheaper] == "no clear difference"
    assert outcomes("abundance", abundant(gain, 0.0, 0.0))[cheaper] == outcome


def test_the_pilot_chooses_the_best_rate_of_each_kind() -> None:
    numbers = {"isotropic": {"0.001": 1.0, "0.01": 2.0}, "elementwise": {"0.001": 4.0, "0.01": 3.0}}
    settings = replace(SMALL, rates=(1e-3, 1e-2))
    chosen = abundance.choose([Trial(10_000, numbers)], settings)
    assert chosen.chosen == {"isotropic": 1e-2, "elementwise": 1e-3}


def test_the_curve_of_a_pair_begins_with_its_pretraining() -> None:
    settings = replace(SMALL, widths=(6,), hold=6, over=3, settle=2)
    parts = samples_of(settings, 0)
    numbers = abundance.trial(0, settings)
    results = made("abundance", settings, lambda _: numbers)
    epochs, curve = abundance_verdict._course(results, "isotropic", 6, "6→6")
    assert epochs.tolist() == [4, 5, 9]
    start = abundance.KINDS["isotropic"](settings, parts, 0, hidden=(6, 6))
    for epoch, value in zip(epochs, curve[0], strict=True):
        run = fit(start, parts, settings, 0, epochs=int(epoch))
        assert value == pytest.approx(held_accuracy(run.net, parts), abs=0.01)


def test_no_last_width_looks_like_the_accuracy_before_the_change() -> None:
    widths = (3, 4, 5, 6, 7, 8)
    pairs = {f"{a}→{b}": 80.0 for a in widths for b in widths}
    numbers = {
        kind: {"accuracy": pairs, "pretrained": dict.fromkeys(map(str, widths), 70.0)}
        for kind in abundance.KINDS
    }
    results = made("abundance", replace(SMALL, widths=widths), lambda _: numbers)
    with figures.styled():
        (axes, _) = abundance_verdict.drawn_ends(results).axes
        lines = [each for each in axes.get_lines() if len(each.get_xdata()) == len(widths)]
        looks = {(each.get_color(), each.get_linestyle(), each.get_marker()) for each in lines}
    marked = {look for look in looks if look[2] not in ("None", "_", "|")}
    assert len(marked) == len(widths) + 1


# Transport


def test_the_pilot_chooses_among_the_rates_of_each_optimiser() -> None:
    tried = transport_verdict.TRIED
    numbers = {name: {f"{r:g}": -abs(r - rates[2]) for r in rates} for name, rates in tried.items()}
    chosen = transport.choose([Trial(10_000, numbers)], QUICK).chosen
    assert chosen == {name: rates[2] for name, rates in tried.items()}


QUICK = Transport(hidden=(12, 12), epochs=3, exchanged=3)


def test_a_state_that_follows_exactly_does_not_notice_that_the_basis_turns() -> None:
    parts = samples_of(QUICK, 0)
    for name in ("SGD", "Orthogonalised"):
        runs = [
            transport.course(Arm(name, follows), edit, parts, QUICK, 0)
            for follows, edit in (("no edits", None), ("exact", transport.turned))
        ]
        first, second = (outputs(run.net, parts.held_x) for run in runs)
        np.testing.assert_allclose(second, first, atol=1e-10 * np.abs(first).max())
        weights = [np.asarray(run.net.layers[1].weight) for run in runs]
        assert np.abs(weights[0] - weights[1]).max() > 0.1
        assert [event.rule for event in runs[1].events] == ["by hand"] * 2


def test_adamw_notices_whatever_becomes_of_its_state() -> None:
    parts = samples_of(QUICK, 0)
    first = transport.course(Arm("AdamW", "no edits"), None, parts, QUICK, 0)
    y = outputs(first.net, parts.held_x)
    found = []
    for follows in ("approximate", "afresh", "as it was"):
        run = transport.course(Arm("AdamW", follows), transport.turned, parts, QUICK, 0)
        found.append(outputs(run.net, parts.held_x))
        assert np.abs(found[-1] - y).max() > 1e-3 * np.abs(y).max()
    assert np.abs(found[0] - found[1]).max() > 0
    assert np.abs(found[1] - found[2]).max() > 0


@pytest.mark.parametrize("free", [True, False])
def test_an_exchange_keeps_the_widths_and_turns_only_a_free_basis(free: bool) -> None:
    parts, net = samples_of(QUICK, 0), Network.random((64, 12, 12, 10), seed=0)
    after, report = transport.exchanged(net, parts, QUICK, 0, free)
    assert after.widths == net.widths
    kinds = [type(edit).__name__ for edit in report.edits]
    assert kinds == (["Rotate"] * free + ["Drop", "Grow"]) * 2


def test_a_turn_leaves_the_function() -> None:
    parts, net = samples_of(QUICK, 0), Network.random((64, 12, 12, 10), seed=0)
    after, report = transport.turned(net, parts, QUICK, 3, True)
    np.testing.assert_allclose(forward(after, parts.held_x), forward(net, parts.held_x), atol=1e-13)
    assert len(report.edits) == 2


def transported(adam: Mapping[str, float], cost: float, turn: float = 1e-12) -> Results:
    def numbers(noise: float) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for arm in transport_verdict.UNEDITED:
            found[str(arm)] = {"accuracy": 95.0, "loss": 0.5, "losses": [1.0, 0.5]}
        for arm in transport_verdict.NUDGED:
            found[str(arm)] = {"distance": 1e-13}
        for arm in transport_verdict.TURNED:
            more = adam.get(arm.follows, 0.0) if arm.optimiser == "AdamW" else 0.0
            loss = 0.5 + more + (noise if arm.optimiser == "AdamW" else 0.0)
            found[f"turned: {arm}"] = {"accuracy": 95.0, "loss": loss, "losses": [1.0, loss]}
            distance = 5.0 if arm.optimiser == "AdamW" else turn
            found[f"turned: {arm}"]["distance"] = distance
        for arm in transport_verdict.EXCHANGED:
            worse = cost + noise if arm.optimiser == "AdamW" else 0.0
            found[f"exchanged: {arm}"] = {
                "accuracy": 90 - worse,
                "loss": 0.6 + worse,
                "losses": [1.0, 0.6],
                "distance": 3.0,
            }
        return found

    return made("transport", QUICK, numbers)


@pytest.mark.parametrize(
    ("adam", "cost", "wanted"),
    [
        ({"approximate": 1.0, "afresh": 1.0, "as it was": 1.0}, 2.0, ["supported", "supported"]),
        ({"as it was": 1.0}, 0.0, ["partly supported", "no clear difference"]),
        ({"approximate": -1.0, "afresh": 1.0}, -2.0, ["not supported", "not supported"]),
        ({}, 0.0, ["no clear difference", "no clear difference"]),
    ],
)
def test_transport_is_judged_by_its_signs(
    adam: Mapping[str, float], cost: float, wanted: list[str]
) -> None:
    found = list(outcomes("transport", transported(adam, cost)).values())
    assert found == ["supported", wanted[0], wanted[1], wanted[1]]


def test_turns_may_change_no_more_than_their_roundings() -> None:
    mark = 2 * 2 * 24 * 1e-13
    for turn, outcome in ((0.9 * mark, "supported"), (1.1 * mark, "not supported")):
        assert next(iter(outcomes("transport", transported({}, 0.0, turn)).values())) == outcome


def test_a_nudge_is_one_rounding_of_the_first_weights() -> None:
    parts, short = samples_of(QUICK, 0), replace(QUICK, epochs=1)
    first, second = (
        transport.course(Arm("SGD", follows), None, parts, short, 0)
        for follows in ("no edits", "nudged")
    )
    gap = np.abs(outputs(first.net, parts.held_x) - outputs(second.net, parts.held_x)).max()
    assert 0 < gap < 1e-12


# Saturation


@pytest.mark.parametrize("radius", [0.5, 2.0])
def test_weights_are_scaled_to_a_mean_radius_in_every_hidden_space(radius: float) -> None:
    net = Network.random((9, 5, 7, 2), seed=0, q=1e-12)
    x = np.random.default_rng(1).normal(size=(50, 9))
    found = saturation.scaled(net, x, radius)
    np.testing.assert_allclose(saturation.radii(found, x).mean(axis=1), radius, rtol=1e-9)
    for i in range(2):
        ratio = np.asarray(found.layers[i].weight) / np.asarray(net.layers[i].weight)
        assert np.ptp(ratio) < 1e-12
    np.testing.assert_array_equal(found.layers[2].weight, net.layers[2].weight)


def test_radii_are_the_lengths_before_the_activation() -> None:
    net = Network.random((9, 5, 2), seed=0, q=0.3)
    x = np.random.default_rng(1).normal(size=(50, 9))
    a = x @ np.asarray(net.layers[0].weight).T
    wanted = np.sqrt((a**2).sum(axis=1) + 0.3)
    np.testing.assert_allclose(saturation.radii(net, x)[0], wanted, rtol=1e-14)


@pytest.mark.claim("C40")
def test_the_published_size_is_saturated_at_birth() -> None:
    r, slope = (saturation._wide(0)[name] for name in ("radius", "slope"))
    assert abs(r - 9.98) < 0.15
    assert 5e-9 < slope < 1e-7


def saturated(gain: float) -> Results:
    settings = replace(Saturation(), depths=(2,))

    def numbers(noise: float) -> dict[str, Any]:
        found: dict[str, Any] = {"wide": {"radius": 10.0 + noise, "slope": 1e-8 + noise * 1e-9}}
        for name in saturation_verdict.INITIAL:
            more = gain if name in saturation_verdict.RADII else 0.0
            when = {"loss": 0.5 - 0.1 * more + noise, "accuracy": 90 + more + noise}
            plain = {"loss": 0.5, "accuracy": 90.0}
            when = plain if name == saturation_verdict.PLAIN else when
            births = {key: [1.0, 1.0] for key in ("radius", "slope", "relative", "radius late")}
            found[f"2, {name}"] = {"early": when, "late": when, **births}
        return found

    return made("saturation", settings, numbers)


@pytest.mark.parametrize(
    ("gain", "outcome"), [(2.0, "supported"), (-2.0, "not supported"), (0.0, "no clear difference")]
)
def test_a_cure_is_judged_by_its_sign(gain: float, outcome: str) -> None:
    assert list(outcomes("saturation", saturated(gain)).values()) == ["supported", outcome, outcome]


# Tasks

SHORT = Scheduled(phase=2, hidden=(16, 16), narrow=8, wide=12)


def test_the_classes_of_one_data_set_make_three_tasks() -> None:
    data, whole = tasks_arms.tasks_of(SHORT, 0), samples_of(SHORT, 0)
    assert [tasks_arms.task(name, own).outputs for name, own in data.items()] == [3, 4, 3]
    assert sum(len(own.x) for own in data.values()) == len(whole.x)
    assert sum(len(own.held_x) for own in data.values()) == len(whole.held_x)


def test_published_tasks_are_three_data_sets_with_ten_classes_each(tmp_path: Path) -> None:
    for name in tasks_arms.PUBLISHED:
        written(tmp_path / ("emnist" if name.startswith("emnist") else name), name)
    settings = replace(SHORT, data="mnist", root=str(tmp_path))
    data = tasks_arms.tasks_of(settings, 0)
    assert list(data) == list(NAMES)
    assert all(own.x.shape[1] == 784 and own.labels.max() < 10 for own in data.values())


def test_a_task_without_samples_is_refused() -> None:
    own = tasks_arms.tasks_of(SHORT, 0)["A"]
    with pytest.raises(ValueError, match="task A must have training and held-out samples, got 0"):
        tasks_arms.task("A", own._replace(x=own.x[:0], labels=own.labels[:0]))


def test_samples_have_inputs_and_labels_in_the_blocks_of_their_tasks() -> None:
    data = tasks_arms.tasks_of(SHORT, 0)
    all_three = Tasks(tuple(tasks_arms.task(name, own) for name, own in data.items()))
    x, labels = tasks_arms.stacked(all_three, data, ("C", "A"))
    count = len(data["C"].x)
    np.testing.assert_array_equal(x[:count, 128:], data["C"].x)
    assert not x[:count, :128].any()
    assert not x[count:, 64:].any()
    np.testing.assert_array_equal(labels[:count, 2], data["C"].labels)
    np.testing.assert_array_equal(labels[:count, :2], ABSENT)


def test_every_epoch_has_as_many_steps_whatever_is_active() -> None:
    data = tasks_arms.tasks_of(SHORT, 0)
    steps = -(-sum(len(own.x) for own in data.values()) // SHORT.batch)
    for arm in ("one task", "switched on and off"):
        before = tasks._born(ARMS[arm], data, (8, 8), SHORT, 0)
        past = ARMS[arm]._replace(schedule=ARMS[arm].schedule[:1])
        after = tasks._phase(past, before, data, SHORT, 0)
        assert after.run.state.steps == SHORT.phase * steps
    decays = [tasks._rule(ARMS[arm], SHORT).decay for arm in ("one task", "one task, strong decay")]
    assert decays == [SHORT.decay, SHORT.strong]


def test_arms_start_alike_and_share_their_past() -> None:
    found = tasks.trial(0, SHORT)
    switched, stay = found["switched on and off"], found["switched on, all stay"]
    assert switched["widths"][:3] == stay["widths"][:3]
    assert switched["totals"][:3] == stay["totals"][:3]
    assert found["one task"]["accuracy"][0] == switched["accuracy"][0]
    assert all(tuple(found["fixed widths"]["widths"][k]) == found["start"] for k in range(4))
    assert len(found["come and go"]["moved"]) == 4
    assert max(found["come and go"]["moved"]) < 1e-5
    assert len(found["come, all stay"]["moved"]) == 2


def test_tasks_that_come_and_go_leave_the_others() -> None:
    data = tasks_arms.tasks_of(SHORT, 0)
    only = Tasks((tasks_arms.task("A", data["A"]),))
    net = Network.random((64, 8, 3), seed=0, dtype="float32")
    run: Run[Any] = Run(net, SGD(rate=0.1).start(net))
    run, now, moved = tasks._retasked(run, only, ("A", "B", "C"), data)
    assert now.names == NAMES
    assert run.net.widths == (192, 8, 10)
    assert moved == [0.0, 0.0]
    run, now, moved = tasks._retasked(run, now, ("B",), data)
    assert now.names == ("B",)
    assert run.net.widths == (64, 8, 4)
    assert run.state.moments["momentum"].widths == run.net.widths


def scheduled(grown: float, shrunk: float) -> Results:
    def numbers(noise: float) -> dict[str, Any]:
        found: dict[str, Any] = {"start": [10 + 10 * noise, 20.0]}
        for name, arm in ARMS.items():
            totals = [30.0, 30.0, 30.0 + noise, 30.0 + noise]
            if arm.schedule[1] != SCHEDULE[0] and arm.adapts:
                totals = [30.0, 30.0, 30 + grown - noise, 30 + grown - noise]
                if arm.schedule == SCHEDULE:
                    totals[3] -= shrunk
                totals[3] += noise if arm.schedule == SCHEDULE else 0.0
            found[name] = {
                "widths": [[value - 1, 1] for value in totals],
                "accuracy": [90 + noise] * 4,
                "moved": [1e-8],
                "totals": totals,
            }
        return found

    return made("tasks", SHORT, numbers)


@pytest.mark.parametrize(
    ("grown", "shrunk", "wanted"),
    [
        (9.0, 5.0, ["supported", "supported"]),
        (0.0, 0.0, ["no clear difference", "no clear difference"]),
        (-9.0, -5.0, ["not supported", "not supported"]),
    ],
)
def test_growing_and_shrinking_are_judged_by_their_signs(
    grown: float, shrunk: float, wanted: list[str]
) -> None:
    found = list(outcomes("tasks", scheduled(grown, shrunk)).values())
    assert found[:6] == [wanted[0]] * 3 + [wanted[1]] * 3


@pytest.mark.parametrize(
    ("kept", "noise", "outcome"),
    [
        (0.0, 0.0, "supported"),
        (0.05, 0.01, "supported"),
        (0.3, 0.0, "partly supported"),
        (0.9, 0.0, "not supported"),
        (0.0, 1.0, "open"),  # not clear is not the same as not there
    ],
)
def test_the_start_is_forgotten_only_where_little_of_it_is_left(
    kept: float, noise: float, outcome: str
) -> None:
    rng = np.random.default_rng(1)

    def numbers(step: float) -> dict[str, Any]:
        start, total = [10 + 10 * step, 20.0], 30 + 10 * kept * step + noise * rng.normal()
        arm = {"widths": [[20.0, 10.0]] * 2 + [[total - 1, 1.0]] * 2, "accuracy": [90.0] * 4}
        return {"start": start, **{name: {**arm, "moved": [0.0]} for name in ARMS}}

    results = made("tasks", SHORT, numbers)
    statement = "The widths that the controller finds do not depend on those at the start."
    assert outcomes("tasks", results)[statement] == outcome
    assert outcomes("tasks", replace(results, trials=results.trials[:2]))[statement] == "open"


def test_rates_that_nobody_chose_are_not_said_to_be_chosen() -> None:
    settings = comparison.Settings(data="mnist", pilots=0, shapes=((4, 4),))
    numbers = {"4–4": {kind: {"equal": 90.0, "tuned": 90.0} for kind in comparison.KINDS}}
    results = made("comparison", settings, lambda _: numbers)
    found = experiment("comparison").verdict(results)
    assert len(found.findings) == len(found.tables[0].rows) == 1
    assert "chosen for neither" in found.remarks[0]
    assert "8 × 8" not in " ".join(found.remarks)
    chosen = replace(results, pilots=results.trials[:1])
    told = replace(chosen, settings={**results.settings, "data": "digits"})
    found = experiment("comparison").verdict(told)
    assert len(found.findings) == len(found.tables[0].rows) == 2
    assert "8 × 8" in " ".join(found.remarks)


@pytest.mark.parametrize("name", ["abundance", "transport", "saturation", "tasks"])
def test_figures_are_drawn_from_results(name: str) -> None:
    pytest.importorskip("matplotlib")
    from isoref.experiments import report

    results = {
        "abundance": abundant(1.0, 1.0, 1.0),
        "transport": transported({}, 1.0),
        "saturation": saturated(1.0),
        "tasks": scheduled(5.0, 1.0),
    }[name]
    found = report.drawn(experiment(name), results, ("svg",))
    assert found == report.drawn(experiment(name), results, ("svg",))
    assert all(data.startswith(b"<?xml") for data in found.values())
    assert report.summary(experiment(name), results).count("**") >= 6
