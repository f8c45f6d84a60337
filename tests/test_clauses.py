"""The clauses of the specification and the code that cites them agree.

Every id that the code, the tests, the proofs or the pages cite is a clause; and every clause that
says "must" is cited by a check of the conformance suite, by a proof, or by a test named here.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from isoref.conformance.checks import CHECKS

ROOT = Path(__file__).parents[1]
SPECIFICATION = ROOT / "docs" / "specification.md"
SUFFIXES = {".c", ".json", ".md", ".py"}

CITED = re.compile(r"\bS\d+\.\d+\b")
RANGE = re.compile(r"\b(S\d+)\.(\d+)\]?(?:\(\S+\))?(?:–| to )\[?\1\.(\d+)\b")
CLAUSE = re.compile(r"^\[(S\d+\.\d+)\]\(#S\d+\.\d+\)\{ \.clause \}", re.MULTILINE)
BLOCK = re.compile(r"^(?:```.*?^```$|\$\$.*?\$\$$)", re.DOTALL | re.MULTILINE)

TESTED = {
    "S1.3": "test_bad_input.py::test_bad_input_is_refused_by_name",
    "S1.6": "test_mixed_arrays.py::test_mixed_libraries_and_dtypes_are_refused",
    "S1.7": "test_claims.py::test_who_stores_o_has_the_same_function_and_2o_times_the_gradient",
    "S2.9": "test_profiles.py::test_values_at_zero_are_the_limits",
    "S2.12": "test_profiles.py::test_parameters_are_rounded_to_the_dtype_first",
    "S3.5": "test_extremes.py::test_a_zero_vector_has_the_documented_value_and_subgradient",
    "S5.3": "test_vectors_oracle.py::test_dropping_is_replacing_by_constants",
    "S6.2": "test_unrolled.py::test_gram_matrices_are_rejected_where_terms_cancel",
    "S8.4": "test_convolution.py::test_pooling_h_without_its_gain_is_another_function",
    "S8.12": "test_sparsify_classes.py::test_the_rule_makes_the_optimum_in_every_network",
    "S10.1": "test_tolerance.py::test_wrong_implementations_die_and_would_live_with_ten_E",
    "S10.5": "test_tolerance.py::test_a_vector_that_cancels_is_not_observable",
}
"""Tests of clauses that say "must", where no check of the suite and no proof cites them."""

NOT_TESTED = {
    "S10.4": "a rule for who compares two computed sides: a judge that forgets it is too strict",
}


def clauses() -> dict[str, str]:
    """Return the text of every clause by its id, without code, formulas and the next heading."""
    parts = CLAUSE.split(SPECIFICATION.read_text(encoding="utf-8"))
    texts = (re.split(r"^#", part, maxsplit=1, flags=re.MULTILINE)[0] for part in parts[2::2])
    return dict(zip(parts[1::2], (BLOCK.sub("", text) for text in texts), strict=True))


def demanded() -> set[str]:
    return {name for name, text in clauses().items() if re.search(r"\bmust\b", text)}


def cited(text: str) -> Iterator[str]:
    """Yield the clauses that a text cites, and all between the ends of S4.1 to S4.6."""
    yield from CITED.findall(text)
    for section, first, last in RANGE.findall(text):
        yield from (f"{section}.{k}" for k in range(int(first), int(last) + 1))


def files() -> Iterator[Path]:
    yield ROOT / "README.md"
    for folder in ("docs", "isoref", "proofs", "tests"):
        yield from (p for p in sorted((ROOT / folder).rglob("*")) if p.suffix in SUFFIXES)


def judged() -> set[str]:
    """Return the clauses that a check of the conformance suite or a proof cites."""
    found = {name for check in CHECKS for name in cited(check.clause)}
    for path in (ROOT / "proofs").glob("c*.py"):
        found.update(cited(path.read_text(encoding="utf-8")))
    return found


def functions_of(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def unknown(text: str) -> set[str]:
    return set(cited(text)) - clauses().keys()


def test_every_clause_that_is_cited_exists() -> None:
    found = {
        f"{path.relative_to(ROOT)} cites {name}"
        for path in files()
        if path != Path(__file__)
        for name in unknown(path.read_text(encoding="utf-8"))
    }
    assert not found


def test_every_demand_is_checked() -> None:
    assert len(demanded()) >= 20
    assert demanded() == (demanded() & judged()) | TESTED.keys() | NOT_TESTED.keys()


def test_no_exception_is_stale() -> None:
    assert not TESTED.keys() & NOT_TESTED.keys()
    assert not judged() & (TESTED.keys() | NOT_TESTED.keys())


@pytest.mark.parametrize("name", TESTED)
def test_the_named_tests_exist(name: str) -> None:
    file, _, function = TESTED[name].partition("::")
    assert function in functions_of(ROOT / "tests" / file)


@pytest.mark.parametrize("text", ["(S9.9)", "[S2.99](#S2.99)", "S4.1 to S4.99"])
def test_a_clause_that_does_not_exist_is_seen(text: str) -> None:
    assert unknown(text)


def test_ranges_cite_what_is_between_their_ends() -> None:
    assert set(cited("[S4.1](s.md#S4.1) to [S4.3](s.md#S4.3), S8.8–S8.9")) == {
        *("S4.1", "S4.2", "S4.3", "S8.8", "S8.9"),
    }
