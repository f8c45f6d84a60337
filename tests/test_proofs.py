"""The ledger of claims: every verdict holds, every sabotage fails, no page is stale."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from proofs import report
from proofs.__main__ import main
from proofs.claim import Claim, Counterexample, Lemma, Sabotage
from proofs.ledger import Decision, claims, decide, faults, sources

ROOT = Path(__file__).parents[1]
LEDGER = claims()
LEMMAS = [(claim, lemma) for claim in LEDGER for lemma in claim.lemmas]
SABOTAGES = [(claim, sabotage) for claim in LEDGER for sabotage in claim.sabotages]


def test_every_claim_of_the_specification_is_settled() -> None:
    text = (ROOT / "docs" / "specification.md").read_text(encoding="utf-8")
    cited = set(re.findall(r"\bC\d\d\b", text))
    assert cited <= {claim.id for claim in LEDGER}
    assert [claim.id for claim in LEDGER] == [f"C{k:02}" for k in range(1, len(LEDGER) + 1)]
    assert len(LEDGER) >= 47
    rows = re.findall(r"^\| (C\d\d) \| .* \| (\w+) \| .* \|$", text, re.MULTILINE)
    assert rows == [(claim.id, claim.verdict) for claim in LEDGER]


def test_the_ledger_is_in_order() -> None:
    assert not faults(LEDGER)
    assert list(sources()) == [claim.id for claim in LEDGER]


@pytest.mark.parametrize(
    ("claim", "lemma"), LEMMAS, ids=[f"{c.id}-{lemma.decide.__name__}" for c, lemma in LEMMAS]
)
def test_lemmas_hold(claim: Claim, lemma: Lemma) -> None:
    assert lemma.decide() is True


@pytest.mark.parametrize(
    ("claim", "sabotage"), SABOTAGES, ids=[f"{c.id}-{s.text}" for c, s in SABOTAGES]
)
def test_sabotages_fail(claim: Claim, sabotage: Sabotage) -> None:
    assert sabotage.survives() is False


@pytest.mark.parametrize("claim", LEDGER, ids=[claim.id for claim in LEDGER])
def test_the_argument_can_be_read(claim: Claim) -> None:
    """Each file opens with its id, says what it assumes and argues in steps."""
    text = sources()[claim.id].read_text(encoding="utf-8")
    head = text.split('"""')[1]
    assert head.startswith(f"{claim.id}. ")
    assert len(head.splitlines()) >= 8
    wanted = "Counterexample" if claim.verdict == "refuted" else "Argument"
    assert wanted in head or "Argument" in head


def test_claims_with_a_numerical_side_have_tests_that_carry_their_id() -> None:
    carried = report.supporting(ROOT / "tests")
    assert set(carried) <= {claim.id for claim in LEDGER}
    assert not [claim.id for claim in LEDGER if claim.numerical and claim.id not in carried]


def test_generated_pages_are_current() -> None:
    """`python -m proofs --docs docs` would change nothing."""
    pages = report.pages([Decision(claim, (), 0.0) for claim in LEDGER])
    stale = [
        name
        for name, text in pages.items()
        if not (path := ROOT / "docs" / name).exists() or path.read_text("utf-8") != text
    ]
    assert not stale, "run `python -m proofs --docs docs`"
    found = {path.name for path in (ROOT / "docs" / "claims").iterdir()}
    assert found == {f"{claim.id}.md" for claim in LEDGER}


def holds() -> bool:
    """One is one."""
    return True


def fails(*, right: bool = False) -> bool:
    """One is two."""
    return right


def raises() -> bool:
    """Nothing is known."""
    raise ArithmeticError("no")


GOOD = Claim(
    id="C01",
    statement="1 = 1",
    verdict="proved",
    method="exact",
    said="isoref",
    lemmas=(Lemma("exact", holds),),
    sabotages=(Sabotage("another number", holds),),
)
AGAINST = Counterexample("exact", holds)


def nameless() -> bool:
    return True


FAULTY: dict[str, list[Claim]] = {
    "used 2 times": [GOOD, GOOD],
    "which is no claim": [replace(GOOD, needs=("C77",))],
    "go round": [replace(GOOD, needs=("C02",)), replace(GOOD, id="C02", needs=("C01",))],
    "two digits": [replace(GOOD, id="D01")],
    "no lemma decides it": [replace(GOOD, lemmas=())],
    "no sabotage tests it": [replace(GOOD, sabotages=())],
    "sabotages no lemma": [replace(GOOD, sabotages=(Sabotage("another", fails),))],
    "does not say what it decides": [replace(GOOD, lemmas=(Lemma("exact", nameless),))],
    "no lemma of the first three": [replace(GOOD, lemmas=(Lemma("argument", holds),))],
    "without a counterexample": [replace(GOOD, verdict="refuted")],
    "nothing is proved": [replace(GOOD, verdict="conditional", lemmas=(AGAINST,))],
    "has a counterexample": [replace(GOOD, lemmas=(AGAINST,))],
    "not that of all its lemmas": [replace(GOOD, method="residual")],
}


@pytest.mark.parametrize("text", FAULTY)
def test_faults_of_a_ledger_are_seen(text: str) -> None:
    assert not faults([GOOD])
    assert any(text in fault for fault in faults(FAULTY[text]))


@pytest.mark.parametrize("broken", [fails, raises])
def test_a_claim_is_open_when_a_lemma_does_not_hold(broken: Callable[[], bool]) -> None:
    found = decide(replace(GOOD, lemmas=(Lemma("exact", holds), Lemma("exact", broken))))
    assert found.verdict == "open"
    assert len(found.failed) == 1
    assert decide(GOOD).verdict == "proved"


def test_the_command_line(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["C12"]) == 0
    shown = capsys.readouterr()
    assert "C12  refuted" in shown.out
    assert "1/1 C12" in shown.err
    assert main(["c12", "--json"]) == 0
    (record,) = json.loads(capsys.readouterr().out)
    wanted = {"id", "statement", "verdict", "method", "needs", "source", "seconds"}
    assert wanted <= set(record)
    assert (ROOT / record["source"]).exists()
    picture = tmp_path / "graph.svg"
    assert main(["C12", "--graph", str(picture)]) == 0
    assert picture.read_text(encoding="utf-8").startswith("<svg")
    capsys.readouterr()
    assert main(["C99"]) == 2
    assert "ID must be one of C01, C02" in capsys.readouterr().err


def test_the_command_line_fails_where_a_claim_is_open(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = replace(GOOD, lemmas=(Lemma("exact", fails),))
    monkeypatch.setattr("proofs.__main__.claims", lambda: (broken,))
    monkeypatch.setattr("proofs.__main__.faults", lambda ledger: [])
    assert main([]) == 1
    assert "does not hold: One is two." in capsys.readouterr().err


def test_marks_of_markdown_are_words_but_code_stays_code() -> None:
    assert report._cell("a_i * `drop_i` < b") == r"a\_i \* `drop_i` &lt; b"
    with pytest.raises(ValueError, match="opens or closes nothing"):
        report._cell("`drop")
