"""The reports agree with each other, and programs can read them."""

from __future__ import annotations

import json
import re
import shlex
from collections import Counter
from dataclasses import asdict, replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from isoref.conformance import Outcome, Status, conform
from isoref.conformance.adapters.reference import Adapter
from isoref.conformance.report.html import SIGNS, as_html
from isoref.conformance.report.junit import KINDS, as_junit
from isoref.conformance.report.records import as_json
from isoref.conformance.report.summary import GRAVITY, Report
from isoref.conformance.report.table import table
from isoref.conformance.status import RED
from isoref.conformance.suspects import Suspect
from isoref.conformance.vectors import load
from tests import small_vectors


class Wrong(Adapter):
    """Wrong in as many ways as there are statuses."""

    info = {"name": "<wrong> & co", "version": "0.3"}  # noqa: RUF012
    profiles = ("tanh", "softsign")  # type: ignore[assignment]
    unsupported = {"backward": "forward only"}  # noqa: RUF012
    backward = None  # type: ignore[assignment]
    jvp = None  # type: ignore[assignment]

    def activation(self, profile: Any, a: Any, q: Any) -> Any:
        h, g = super().activation(profile, a, q)
        return (h, g) if profile.name == "tanh" else (h * 2, g)

    def activation_vjp(self, *given: Any) -> Any:
        raise RuntimeError("line one\x00 <tag> ]]>\nline two")


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    folder = tmp_path_factory.mktemp("vectors")
    small_vectors.write(folder)
    expected = {
        "L1.values.softsign.000": "doubled",
        "L1.values.tanh.001": "thought to be wrong",
    }
    only = ["L1.values", "L2.values", "L3.activation", "L3.jvp", "L3.backward", "L3.structure"]
    return conform(Wrong, only=only, corpus=load(folder), expected=expected, seed=3)


@pytest.fixture
def report(outcome: Outcome) -> Report:
    return Report(outcome, ("my mod.py:Wrong",), ("--time-limit", "5"), 4, ("--level", "1-3"))


def test_the_run_has_most_statuses(outcome: Outcome) -> None:
    rest = {Status.NOTRUN, Status.UNOBSERVABLE}
    assert set(outcome.counts) == set(Status) - rest
    assert outcome.code() == 1
    assert outcome.claimed == len(outcome.records) - outcome.counts[Status.UNSUPPORTED]


def test_every_status_has_its_place_in_every_report() -> None:
    assert set(GRAVITY) == set(SIGNS) == set(Status) == set(KINDS) | {Status.PASS}
    assert len(set(SIGNS.values())) == len(Status)


def test_the_json_object_has_every_test_and_is_strict(report: Report) -> None:
    facts = json.loads(as_json(report), parse_constant=pytest.fail)
    assert (facts["format"], facts["version"]) == ("isoref-conformance", 1)
    assert facts["target"] == ["my mod.py:Wrong"]
    assert facts["repeat"].split("Wrong' ")[1] == "--level 1-3 --seed 3 --time-limit 5"
    assert facts["code"] == 1
    assert len(facts["vectors"]) == 64
    assert set(facts["versions"]) == {"isoref", "python", "numpy", "scipy"}
    assert facts["precision"]["measured"] == {"W h": 53}
    assert facts["counts"] == dict(Counter(test["status"] for test in facts["tests"]))
    assert facts["all"] == len(facts["tests"]) == sum(facts["counts"].values())
    assert facts["passed"] == facts["counts"]["PASS"]
    for test in facts["tests"]:
        words = shlex.split(test["repeat"])
        assert words[:3] == ["isoref", "conform", "my mod.py:Wrong"]
        assert words[3:] == ["--only", test["id"], "--seed", "3", "--time-limit", "5"]
        if test["worst"]:
            for name, text in test["worst"]["hex"].items():
                number = float.fromhex(text)
                assert number == float(test["worst"][name]) or np.isnan(number)


def test_junit_counts_what_the_outcome_counts(report: Report) -> None:
    root = ElementTree.fromstring(as_junit(report))
    counts = Counter(KINDS.get(record.status) for record in report.outcome.records)
    for name, kind in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        assert int(root.get(name, "")) == counts[kind] == len(root.findall(f".//{kind}")) > 0
        assert sum(int(suite.get(name, "")) for suite in root) == counts[kind]
    assert [suite.get("name") for suite in root] == [row.id for row in report.rows]
    names = [case.get("name") for case in root.iter("testcase")]
    assert names == [record.id for record in report.outcome.records]
    error = root.find(".//error[@type='ERROR']")
    assert error is not None
    assert "line one\ufffd <tag> ]]>\nline two" in (error.text or "")
    assert "isoref conform 'my mod.py:Wrong' --only L3.activation" in (error.text or "")


def test_the_table_names_every_red_test(report: Report) -> None:
    text = table(report)
    for row in report.rows:
        line = next(line for line in text.splitlines() if line.startswith(f"{row.id} "))
        assert row.clause in line
        assert str(row.status) in line
        assert f"{row.passed} of {row.claimed}" in line
    groups = report.red()
    assert sum(number for _, number, _ in groups) == len(report.outcome.red)
    for record, _, repeat in groups:
        assert record.id in text
        assert repeat in text
    assert f"passed {report.outcome.passed} of {report.outcome.claimed} claimed" in text
    assert f"passed {report.outcome.passed} of {len(report.outcome.records)} in all" in text
    assert "Traceback" not in text
    assert "Traceback" in table(report, trace=True)


def test_neighbours_with_one_sentence_are_told_once(report: Report) -> None:
    found = {record.check: (number, line) for record, number, line in report.red()}
    number, line = found["L3.jvp"]
    assert number == 6
    assert line.split("--only ")[1].startswith("L3.jvp --seed")


def test_what_one_cause_blocks_is_told_once_and_last(report: Report) -> None:
    blocked = [group for group in report.red() if group[0].status is Status.BLOCKED]
    assert report.red()[-len(blocked) :] == blocked
    sentences = [record.message for record, _, _ in blocked]
    assert len(set(sentences)) == len(sentences) > 0
    assert sum(number for _, number, _ in blocked) == report.outcome.counts[Status.BLOCKED]
    checks: dict[str, set[str]] = {record.message: set() for record, _, _ in blocked}
    for record in report.outcome.red:
        if record.status is Status.BLOCKED:
            checks[record.message].add(record.check)
    for record, _, line in blocked:
        names = line.split("--only ")[1].split(" --")[0].split()
        assert {".".join(name.split(".")[:2]) for name in names} == checks[record.message]


def test_every_report_has_the_likely_causes(report: Report) -> None:
    cause = Suspect("forward", "tanh", "ψ is <left> out", "add ψ times the gain")
    told = replace(report, suspects=(cause,))
    lines = "\nlikely cause in forward, tanh: ψ is <left> out\n    → add ψ times the gain\n"
    assert lines in table(told)
    assert "forward, tanh: ψ is &lt;left&gt; out<br>→ add ψ times the gain" in as_html(told)
    (entry,) = json.loads(as_json(told))["suspects"]
    assert entry == asdict(cause)


def test_a_failure_says_what_its_case_is_for() -> None:
    class Doubled(Adapter):
        def activation(self, profile: Any, a: Any, q: Any) -> Any:
            return tuple(2 * v for v in super().activation(profile, a, q))

    (record,) = conform(Doubled, levels=[1], only=["L1.values.tanh.027"]).records
    assert record.message.endswith(" (o² is added, not o)")


class Page(HTMLParser):
    """Collects tags, the classes of rows, and whether every tag is closed."""

    VOID = ("meta", "input", "br")
    OPTIONAL = ("td", "th", "tr", "table")

    def __init__(self) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.classes: list[str] = []
        self.ids: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.tags[tag] += 1
        if tag == "tr" and given.get("class"):
            self.classes.append(str(given["class"]))
        self.ids += [str(given["id"])] if "id" in given else []
        if tag not in (*self.VOID, "td", "th"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_is_complete_and_needs_nothing_else(report: Report) -> None:
    text = as_html(report)
    page = Page()
    page.feed(text)
    assert page.open == []
    assert not {"script", "link", "img", "iframe"} & set(page.tags)
    assert not re.search(r"https?:|@import|url\(|src=|href=", text)
    wanted = [f"test {record.status}" for record in report.outcome.records]
    assert page.classes == wanted
    found = {status for status in Status if report.outcome.counts[status]}
    assert page.ids == [f"only-{status}" for status in GRAVITY if status in found]
    for status in found:
        assert f"#only-{status}:checked" in text
    assert "prefers-color-scheme: dark" in text
    assert "&lt;wrong&gt; &amp; co" in text
    assert "<wrong>" not in text
    assert text.count("<details open>") == sum(row.status in RED for row in report.rows)


def test_an_interrupted_or_empty_run_is_reported_too(report: Report, tmp_path: Path) -> None:
    small_vectors.write(tmp_path)
    empty = conform(Adapter, levels=[1], only=["L1.nothing"], corpus=load(tmp_path))
    blank = Report(empty, ("my:Adapter",))
    assert blank.code == 3
    assert "no tests" in table(blank)
    assert json.loads(as_json(blank))["tests"] == []
    assert ElementTree.fromstring(as_junit(blank)).get("tests") == "0"
    assert "too little was tested" in as_html(blank)


def test_by_default_ten_tests_are_needed_for_each_level_on_offer(tmp_path: Path) -> None:
    class Small:
        def activation(self, profile: Any, a: Any, q: Any) -> Any:
            return Adapter().activation(profile, a, q)

        forward = None

        def jvp(self, *given: Any) -> Any:
            return Adapter().jvp(*given)

    small_vectors.write(tmp_path)
    for levels, least in (((1,), 10), ((1, 2, 3), 20), ((2,), 1)):
        found = conform(Small, levels=levels, only=["L1.conduct"], corpus=load(tmp_path))
        assert found.least == least
