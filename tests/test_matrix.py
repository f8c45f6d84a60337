"""The matrix of implementations and checks is current, and right where it can be run here."""

from __future__ import annotations

import json

from isoref.conformance.adapters.reference import Adapter
from isoref.conformance.checks import CHECKS
from isoref.conformance.run import conform
from isoref.conformance.status import Status
from isoref.conformance.vectors import load
from tests.studies.matrix import PAGE, STORE, page

FOUND = json.loads(STORE.read_text("utf-8"))


def test_the_page_is_what_its_counts_make() -> None:
    assert PAGE.read_text("utf-8") == page(FOUND), "run `python -m tests.studies.matrix --write`"


def test_the_counts_are_those_of_these_checks_and_vectors() -> None:
    corpus = load().hash
    for one in FOUND:
        assert one["vectors"] == corpus, one["name"]
        assert list(one["checks"]) == [check.id for check in CHECKS], one["name"]


def test_all_that_ships_passes_what_it_claims() -> None:
    assert {(one["name"], one["storage"]) for one in FOUND} >= {
        ("isoref", "float64"),
        ("isoref", "float32"),
    }
    for one in FOUND:
        assert one["passed"] == one["claimed"] > 100, one["name"]


def test_the_first_steps_quote_the_counts_of_pytorch() -> None:
    example = next(one for one in FOUND if "PyTorch" in one["name"] and one["storage"] == "float32")
    counts = [v["counts"] for check, v in example["checks"].items() if check < "L4"]
    passed, every = (sum(found) for found in zip(*map(_passed_of, counts), strict=True))
    text = (PAGE.parents[1] / "how-to-check.md").read_text("utf-8")
    assert f"passed {passed} of {passed} claimed\npassed {passed} of {every} in all\n" in text


def _passed_of(counts: dict[str, int]) -> tuple[int, int]:
    return counts.get("PASS", 0), sum(counts.values())


def test_a_level_of_isoref_gives_the_counts_of_the_page() -> None:
    own = next(one for one in FOUND if (one["name"], one["storage"]) == ("isoref", "float64"))
    outcome = conform(Adapter, levels=[1])
    for name in ("L1.values", "L1.rows", "L1.conduct", "L1.equivariance"):
        records = [record for record in outcome.records if record.check == name]
        assert {record.status for record in records} == {Status.PASS}
        assert own["checks"][name]["counts"] == {"PASS": len(records)}
