"""The suite, tested: its mutants, its page, its own check, and implementations of nothing."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from isoref.cli import main
from isoref.conformance import judge, numerics, selfcheck
from isoref.conformance.adapters.reference import Adapter
from isoref.conformance.checks import CHECKS
from isoref.conformance.judge import UNOBSERVABLE, Verdict
from isoref.conformance.run import conform
from isoref.conformance.selftest import alarms, degenerate, oracle_mutants
from isoref.conformance.selftest.__main__ import PAGE
from isoref.conformance.selftest.__main__ import main as selftest
from isoref.conformance.selftest.algorithms import ALGORITHMS, PRECISIONS, cut
from isoref.conformance.selftest.evaluated import evaluated
from isoref.conformance.selftest.mutants import MUTANTS
from isoref.conformance.selftest.sample import stale
from isoref.conformance.selftest.scores import hidden, score
from isoref.conformance.vectors import FOLDER, Corpus, load

NOTHING = Corpus("none", ())


@cache
def corpus() -> Corpus:
    return load()


# The mutants


def test_there_are_enough_mutants_and_half_of_them_are_public() -> None:
    levels = Counter(mutant.level for mutant in MUTANTS)
    assert len(MUTANTS) >= 150
    assert set(levels) == {1, 2, 3, 4, 5, 6}
    assert min(levels.values()) >= 15
    assert sum(mutant.origin == "public" for mutant in MUTANTS) >= len(MUTANTS) / 2
    assert {mutant.killer for mutant in MUTANTS} == {check.id for check in CHECKS}


SOLE = {
    "L1.values": "activation_is_off_for_large_quantised_inputs",
    "L2.values": "forward_is_off_for_quantised_inputs",
    "L2.ghosts": "skips_single_neurons_without_weights",
    "L3.activation": "activation_vjp_is_off_for_quantised_inputs",
    "L3.jvp": "jvp_is_off_for_quantised_inputs",
    "L3.backward": "backward_is_off_for_quantised_inputs",
    "L3.sums": "backward_is_off_for_one_row_of_three_outputs",
    "L4.rotate": "leaves_quantised_weights",
    "L1.rows": "squeezes_a_batch_of_one",
    "L1.equivariance": "drops_the_tail_of_seven",
    "L2.rows": "squeezes_a_single_sample",
    "L1.radii": "activation_drifts",
    "L2.fresh": "leaves_out_rows_beyond_a_thousand",
    "L3.radii": "activation_vjp_drifts",
    "L3.batches": "sums_one_block_of_rows",
    "L2.drawn": "forward_is_off_for_two_layers_that_pool",
    "L3.pulled": "backward_is_off_for_skips_and_pools",
    "L3.pushed": "jvp_is_off_for_more_than_64_neurons",
    "L3.velocity": "gains_do_not_move_from_1e+07_to_1e+09",
    "L4.group": "picks_a_sign_for_irrational_rotations",
    "L5.drop": "takes_the_bias_whatever_is_given",
    "L5.laws": "keeps_what_a_skip_carries",
    "L6.commute": "keeps_moments_of_half_a_block_in_eight_bits",
    "L6.inert": "adds_a_little_to_large_gradients",
    "L6.refuse": "approximates_unasked",
}
"""Some of what one check alone sees; the page has all."""


@pytest.mark.parametrize("check", SOLE)
def test_a_check_sees_what_no_other_does(check: str) -> None:
    mutant = next(mutant for mutant in MUTANTS if mutant.name == SOLE[check])
    assert score(mutant, "float64", corpus()).killers == (check,)


def test_what_a_precision_cannot_show_is_told_from_what_is_missed() -> None:
    mutants = {mutant.name: mutant for mutant in MUTANTS}
    assert hidden(mutants["float32_inside"], "float32", NOTHING) == 0
    cases = (case for case in corpus().all if case.profile.name == "tanh")
    few = Corpus("few", tuple(case for case in cases if case.check in ("L1.values", "L2.values")))
    assert 0 < hidden(mutants["linear_near_zero"], "float32", few) <= 1
    assert hidden(mutants["without_psi"], "float32", few) > 1


def test_the_sample_of_the_page_is_what_it_is_now() -> None:
    assert not stale(PAGE.read_text("utf-8"))


def test_a_stale_page_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = PAGE.read_text("utf-8")
    for old, new in ((corpus().hash, "0" * 64), ("| q is o |", "| q is p |"), ("| • |", "|  |")):
        path = tmp_path / "page.md"
        path.write_text(text.replace(old, new), "utf-8")
        assert selftest(["--quick", "--page", str(path)]) == 1
        assert "--write" in capsys.readouterr().err


# Correct implementations


@pytest.mark.parametrize("precision", PRECISIONS)
def test_correct_implementations_pass(precision: str) -> None:
    k = tuple(PRECISIONS).index(precision)
    algorithm = tuple(ALGORITHMS)[k + 1]
    adapter = evaluated(algorithm, precision, profiles=("log1p",))
    outcome = conform(adapter, levels=[1, 2, 3], corpus=corpus())
    assert not outcome.red
    assert {one.bits for one in outcome.precision} == {PRECISIONS[precision].bits}


@pytest.mark.parametrize("depth", [1, 4])
def test_correct_runs_stay_far_below_the_bound(depth: int) -> None:
    found = list(alarms.runs(alarms.Problem(depth, 8, depth)))
    assert len(found) == len(ALGORITHMS) * len(PRECISIONS)
    assert max(run.rho or 0 for run in found) < 0.6
    assert any(20 * (run.rho or 0) > 1 for run in found), "E/20 raises alarms"


@pytest.mark.parametrize("seed", [1, 5])
def test_another_seed_changes_no_honest_verdict(seed: int) -> None:
    adapter = evaluated("fused", "float32", profiles=("softsign",))
    assert not conform(adapter, corpus=NOTHING, seed=seed).red
    for name in ("leaves_psi", "drops_without_both", "a_kernel_for_two_inputs_and_three_outputs"):
        mutant = next(mutant for mutant in MUTANTS if mutant.name == name)
        assert score(mutant, "float64", NOTHING, seed=seed).killed


def test_short_operands_are_rounded_to_nearest_even() -> None:
    ones = np.array([1 + 2.0**-8, 1 + 3 * 2.0**-8, -1 - 2.0**-8, 0.0], np.float32)
    assert cut(ones, 8).tolist() == [1.0, 1 + 2.0**-6, -1.0, 0.0]


# Implementations of nothing


@pytest.mark.parametrize("name", degenerate.ANSWERS)
def test_implementations_of_nothing_earn_no_level(name: str) -> None:
    adapter = degenerate.degenerate(degenerate.ANSWERS[name])
    outcome = conform(adapter, corpus=NOTHING)
    assert outcome.red
    assert degenerate.earned(outcome) == ()


def test_a_table_of_all_answers_is_seen_by_another_seed() -> None:
    adapter = degenerate.memorised(degenerate.zeros, NOTHING)
    assert degenerate.earned(conform(adapter, corpus=NOTHING)) == (1, 2, 3, 4, 5, 6)
    assert degenerate.earned(conform(adapter, corpus=NOTHING, seed=1)) == ()


# Damaged vectors


def test_vectors_that_are_whole_are_taken() -> None:
    assert not oracle_mutants.refused(FOLDER)
    assert not oracle_mutants.recomputed(FOLDER)


@pytest.mark.parametrize("name", oracle_mutants.REFUSED)
def test_damaged_vectors_are_refused(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "vectors"
    shutil.copytree(FOLDER, folder)
    oracle_mutants.REFUSED[name](folder)
    assert oracle_mutants.refused(folder)


@pytest.mark.parametrize("name", oracle_mutants.RECOMPUTED)
def test_wrong_vectors_are_found_by_computing_them_again(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "vectors"
    shutil.copytree(FOLDER, folder)
    oracle_mutants.RECOMPUTED[name](folder)
    assert oracle_mutants.recomputed(folder)


# The checker


def test_the_checker_is_right_on_integers() -> None:
    assert list(selfcheck.checked()) == []


def lenient(name: str, got: Any, want: Any, bound: Any) -> Verdict:
    return Verdict()


def relative(name: str, got: Any, want: Any, bound: Any) -> Verdict:
    found = JUDGED(name, got, want, bound)
    return Verdict(found.rho / 2, found.worst, found.message, found.observable)


def blind_to_nan(name: str, got: Any, want: Any, bound: Any) -> Verdict:
    return JUDGED(name, np.nan_to_num(got), np.nan_to_num(want), bound)


def blind(name: str, got: Any, want: Any, bound: Any) -> Verdict:
    return UNOBSERVABLE if np.isinf(bound).any() else JUDGED(name, got, want, bound)


JUDGED = judge.judged


@pytest.mark.parametrize("broken", [lenient, relative, blind_to_nan, blind])
def test_a_broken_judge_stops(
    broken: Callable[..., Verdict],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(judge, "judged", broken)
    with pytest.raises(selfcheck.CheckerError, match="judges nobody"):
        conform(Adapter, levels=[1], corpus=NOTHING)
    target = "isoref.conformance.adapters.reference:Adapter"
    assert main(["conform", target, "--level", "1"]) == 3
    assert "the checker is wrong on exact data" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("module", "name", "wrong"),
    [
        (numerics, "limit", lambda gauges, units: np.abs(gauges).sum(axis=0) * units.store),
        (judge, "worst_of", lambda verdicts: next(iter(verdicts), Verdict())),
        (judge, "equal", lambda name, got, want: Verdict()),
        (judge, "failed", lambda message: Verdict(0.0)),
        (selfcheck, "forward", lambda net, x: np.full((len(x), 2), 12.0)),
    ],
)
def test_a_broken_part_of_the_checker_stops(
    module: Any, name: str, wrong: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, name, wrong)
    with pytest.raises(selfcheck.CheckerError):
        selfcheck.require()
