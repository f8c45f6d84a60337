"""The pytest plugin and the decorator: each check becomes tests of someone else's suite."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests import small_vectors

ADAPTER = """
from isoref.conformance.adapters.reference import Adapter as Right

class Adapter(Right):
    profiles = ("tanh", "softsign")
    unsupported = {"psi": "no constant neuron"}
    def activation(self, profile, a, q):
        h, g = super().activation(profile, a, q)
        return (h, g) if profile.name == "tanh" else (h * 2, g)
"""
DECORATED = """
from pathlib import Path
from isoref.conformance import parametrize
from isoref.conformance.vectors import load
from mine import Adapter

@parametrize(Adapter, levels=[1], only=["L1.values", "L1.conduct"], corpus=load("vectors"))
def test_isotropic(check):
    check()
"""

Outcomes = dict[str, str]
Pytest = Callable[..., tuple[int, str, Outcomes]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("project")
    small_vectors.write(found / "vectors")
    (found / "mine.py").write_text(ADAPTER)
    (found / "test_own.py").write_text("def test_own():\n    pass\n")
    return found


@pytest.fixture
def suite(folder: Path) -> Pytest:
    """Run pytest in the folder; return its code, its text, and what became of each test."""

    def run(*words: str) -> tuple[int, str, Outcomes]:
        log = folder / "log.xml"
        log.unlink(missing_ok=True)
        options = ["-p", "isoref.conformance.plugin", "-p", "no:cacheprovider", "--strict-markers"]
        found = subprocess.run(
            [sys.executable, "-m", "pytest", *options, "-W", "error", f"--junitxml={log}", *words],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
            env={
                **os.environ,
                "PYTHONPATH": str(Path(__file__).parents[1]),
                "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
                "PYTEST_ADDOPTS": "",
            },
        )
        cases = ElementTree.parse(log).iter("testcase")
        outcomes = {str(c.get("name")): c[0].tag if len(c) else "passed" for c in cases}
        return found.returncode, found.stdout + found.stderr, outcomes

    return run


MINE = ("--isoref-adapter=mine.py:Adapter", "--isoref-vectors=vectors")


def test_each_check_and_profile_is_a_test(suite: Pytest) -> None:
    code, text, found = suite(*MINE, "--isoref-level=1-2", "-rs")
    assert code == 1
    assert found["test_own"] == "passed"
    assert found["L1.values[tanh]"] == "passed"
    assert found["L1.values[softsign]"] == "failure"
    assert found["L1.values[relu(tau=0.5)]"] == "skipped"
    assert found["L2.values[tanh-psi]"] == "skipped"
    assert found["L2.ghosts[softsign-psi]"] == "skipped"
    assert found["L2.gauge[tanh]"] == "passed"
    assert found["L2.gauge[softsign]"] == "failure"  # blocked
    assert "UNSUPPORTED: profiles does not have relu(tau=0.5)" in text
    assert "UNSUPPORTED: no constant neuron" in text
    assert "L1.values fails for softsign: mend that first" in text
    assert "3 of 3 tests are red" in text
    repeat = "isoref conform mine.py:Adapter --only L1.values.softsign.000 --seed 0"
    assert repeat in text
    assert "Traceback" not in text


def test_they_can_be_chosen(suite: Pytest) -> None:
    words = (*MINE, "--isoref-level=1", "-m", "isoref")
    _, _, found = suite(*words, "-k", "values and tanh")
    assert list(found) == ["L1.values[tanh]"]
    _, _, found = suite(*words, "--isoref-only=L1.rows.tanh", "--isoref-only=L1.conduct.tanh")
    assert list(found) == ["L1.rows[tanh]", "L1.conduct[tanh]"]


def test_expected_failures_are_expected(suite: Pytest, folder: Path) -> None:
    words = (*MINE, "--isoref-level=1", "--isoref-xfail=known.txt", "-m", "isoref", "-rx")
    (folder / "known.txt").write_text("L1.values.softsign.* # doubled\n")
    _, text, found = suite(*words)
    assert found["L1.values[softsign]"] == "skipped"
    assert "doubled [h[" in text
    assert "1 xfailed" in text
    (folder / "known.txt").write_text("L1.values.* # doubled\n")
    _, text, found = suite(*words)
    assert found["L1.values[tanh]"] == "failure"
    assert "it holds, and was expected to fail (doubled): take it off the list" in text


def test_a_line_that_no_failure_needs_fails(suite: Pytest, folder: Path) -> None:
    """As on the command line; a line whose tests were not all run may still be needed."""
    words = (*MINE, "--isoref-level=1-2", "--isoref-xfail=known.txt", "-m", "isoref")
    doubled = "L1.values.softsign.* # doubled\n"
    (folder / "known.txt").write_text(f"{doubled}L2.ghosts.* # no constant neurons yet\n")
    code, text, found = suite(*words)
    assert code == 1
    assert found["expected failures"] == "failure"
    assert "known.txt, line 2: L2.ghosts.* names only tests that did not fail (UNSUPPORTED)" in text
    assert "known.txt, line 1" not in text
    assert "Traceback" not in text
    _, _, found = suite(*words, "-k", "expected or values")
    assert found["expected failures"] == "passed"
    (folder / "known.txt").write_text(doubled)
    assert suite(*words)[2]["expected failures"] == "passed"


# What stops the collection: a sentence, no traceback of pytest or of the suite.
STOPPED = {
    "module": (("--isoref-adapter=none:Adapter",), "isoref: none cannot be imported"),
    "level": ((*MINE, "--isoref-level=9"), "isoref: must be a level 1 … 6"),
    "only": ((*MINE, "--isoref-only=L1.vaules"), "isoref: no test has these levels and ids"),
    "xfail": ((*MINE, "--isoref-xfail=wrong.txt"), "isoref: wrong.txt, line 1: must be a pattern"),
    "unknown": (
        (*MINE, "--isoref-level=1", "--isoref-xfail=unknown.txt"),
        "isoref: unknown.txt, line 1: L1.vaules.* names no test; take it off",
    ),
}


@pytest.mark.parametrize("name", STOPPED)
def test_what_cannot_be_collected_is_said(name: str, suite: Pytest, folder: Path) -> None:
    words, sentence = STOPPED[name]
    (folder / "wrong.txt").write_text("L1.values.*\n")
    (folder / "unknown.txt").write_text("L1.vaules.*  # mistyped\n")
    code, text, _ = suite(*words)
    assert code == 2
    assert sentence in text
    assert "Traceback" not in text


def test_the_decorator_makes_each_check_a_test(suite: Pytest, folder: Path) -> None:
    (folder / "test_decorated.py").write_text(DECORATED)
    code, text, found = suite("test_decorated.py")
    (folder / "test_decorated.py").unlink()
    assert code == 1
    assert found["test_isotropic[L1.values[tanh]]"] == "passed"
    assert found["test_isotropic[L1.values[softsign]]"] == "failure"
    assert found["test_isotropic[L1.conduct[tanh]]"] == "passed"
    assert "isoref conform mine:Adapter --only L1.values.softsign.000 --seed 0" in text


def test_those_who_do_not_use_it_notice_nothing(suite: Pytest) -> None:
    code, _, found = suite()
    assert code == 0
    assert found == {"test_own": "passed"}
    program = (
        "import sys, time, pytest; start = time.perf_counter(); import isoref.conformance.plugin; "
        "print(time.perf_counter() - start, *(m for m in sys.modules if m.startswith('isoref')), "
        "'numpy' in sys.modules)"
    )
    words = [
        subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=True
        ).stdout.split()
        for _ in range(3)
    ]
    assert words[0][1:] == ["isoref", "isoref.conformance", "isoref.conformance.plugin", "False"]
    assert min(float(seconds) for seconds, *_ in words) < 0.02
