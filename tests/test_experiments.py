"""Experiments: the same numbers whatever the parallelism, nothing lost, bad input refused."""

from __future__ import annotations

import csv
import errno
import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import isoref
from isoref import experiments
from isoref.cli import main
from isoref.experiments import EXPERIMENTS, experiment, figures, report, runner
from isoref.experiments.experiment import (
    PILOT,
    STUDIES,
    Experiment,
    Figure,
    Finding,
    Results,
    Settings,
    Table,
    Trial,
    Verdict,
)
from isoref.experiments.invariance import Settings as Changes
from isoref.experiments.learning import Learning, fit, held_accuracy, network, samples
from isoref.experiments.runner import conduct
from isoref.files import disk
from isoref.files.lock import LockError, locked
from tests.test_data_files import written

TINY = Changes(seeds=3, epochs=1, hidden=(8, 8), changes=(1, 4))
DRAWING = pytest.mark.skipif(not figures.available(), reason="needs matplotlib")


@dataclass(frozen=True, kw_only=True)
class Fake(Settings):
    scale: float = 1.0


class Computed:
    """A trial that knows which seeds it was asked for, and can be made to fail."""

    def __init__(self) -> None:
        self.seeds: list[int] = []
        self.fails: int | None = None

    def __call__(self, seed: int, settings: Fake) -> dict[str, Any]:
        self.seeds.append(seed)
        if seed == self.fails:
            raise RuntimeError("the lights went out")
        rng = np.random.default_rng(seed)
        return {"a": settings.scale * rng.normal(), "more": {"list": [seed, np.float32(0.1)]}}


def chosen(pilots: Sequence[Trial], settings: Fake) -> Fake:
    return replace(settings, scale=2.0 + len(pilots))


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Experiment[Fake]:
    found = Experiment(
        name="fake",
        title="A fake",
        question="Is it one?",
        studies=dict.fromkeys(STUDIES, Fake(seeds=6)),
        trial=Computed(),
        verdict=lambda results: Verdict(
            [Finding("It is.", "supported", f"{results.values('a').mean():.3f}.")],
            [Table("Numbers", ("seed", "a"), [(t.seed, t.numbers["a"]) for t in results.trials])],
        ),
        figures={"": Figure("A line.", drawn)},
    )
    monkeypatch.setattr(runner, "named", lambda name: found)
    return found


def drawn(results: Results) -> Any:
    figure, ((axes,),) = figures.canvas()
    figures.line(axes, 0, [0, 1], results.values("more", "list"), "list")
    return figure


class Backwards(Executor):
    """Computes everything at the first result that is asked for, in reverse order."""

    def __init__(self) -> None:
        self.jobs: list[tuple[Future[Any], Callable[..., Any], tuple[Any, ...]]] = []
        self.shut = False

    def submit(self, fn: Callable[..., Any], /, *args: Any, **_: Any) -> Future[Any]:
        future: Future[Any] = Future()
        self.jobs.append((future, fn, args))
        if len(self.jobs) % 6 == 0:
            for done, call, given in reversed(self.jobs[-6:]):
                done.set_result(call(*given))
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        self.shut = True


class AtOnce(Executor):
    """Has computed everything before it is asked for a result."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **_: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args))
        except RuntimeError as error:
            future.set_exception(error)
        return future


def run(fake: Experiment[Fake], directory: Path, *, workers: int = 1, **changes: Any) -> Results:
    settings = replace(fake.studies["quick"], **changes)
    with ThreadPoolExecutor(workers) as pool:
        return conduct(fake, "quick", settings, str(directory), executor=pool)


# the same numbers


def test_every_executor_gives_the_same_bytes(fake: Experiment[Fake], tmp_path: Path) -> None:
    one = report.encode(run(fake, tmp_path / "one"))
    many = report.encode(run(fake, tmp_path / "many", workers=4))
    pool = Backwards()
    settings = fake.studies["quick"]
    other = conduct(fake, "quick", settings, str(tmp_path / "b"), executor=pool)
    assert one == many == report.encode(other)
    assert not pool.shut  # it is the caller's


def test_processes_give_the_same_bytes_for_one_and_for_two(tmp_path: Path) -> None:
    found = experiment("invariance")
    results = [
        conduct(found, "quick", TINY, str(tmp_path / str(jobs)), jobs=jobs) for jobs in (1, 2)
    ]
    assert report.encode(results[0]) == report.encode(results[1])
    assert [trial.seed for trial in results[0].trials] == [0, 1, 2]
    for trial in results[0].trials:
        for numbers in trial.numbers["certified"].values():
            assert numbers["measured"] <= numbers["bound"]
        for name in ("0", "+1", "+4"):
            assert trial.numbers["variants"]["trained, decayed"]["rows"][name]["ε"] < 1e-3


def test_a_stopped_run_goes_on_to_the_same_bytes(fake: Experiment[Fake], tmp_path: Path) -> None:
    computed = fake.trial
    assert isinstance(computed, Computed)
    whole = report.encode(run(fake, tmp_path / "whole"))
    computed.fails, computed.seeds = 3, []
    with pytest.raises(RuntimeError, match="lights") as caught:
        run(fake, tmp_path / "part")
    assert "It was the trial of seed 3 of fake" in caught.value.__notes__[0]
    kept = {int(path.stem) for path in (tmp_path / "part" / "trials").iterdir()}
    assert {0, 1, 2} <= kept <= {0, 1, 2, 4, 5}  # what had begun may end
    computed.fails, computed.seeds = None, []
    assert report.encode(run(fake, tmp_path / "part")) == whole
    assert set(computed.seeds) == set(range(6)) - kept


def test_what_is_finished_beside_a_failure_is_kept(fake: Experiment[Fake], tmp_path: Path) -> None:
    computed = fake.trial
    assert isinstance(computed, Computed)
    computed.fails = 3
    with pytest.raises(RuntimeError, match="lights"):
        conduct(fake, "quick", fake.studies["quick"], str(tmp_path), executor=AtOnce())
    assert {int(path.stem) for path in (tmp_path / "trials").iterdir()} == {0, 1, 2, 4, 5}


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_is_told_how_far_a_study_is(fake: Experiment[Fake], tmp_path: Path) -> None:
    terminal, file = Terminal(), io.StringIO()
    settings = fake.studies["quick"]
    for stream in (terminal, file):
        conduct(fake, "quick", settings, str(tmp_path), executor=AtOnce(), stream=stream)
    lines = terminal.getvalue().split("\r")
    assert lines[0] == ""
    assert lines[1].startswith("fake  0/6 trials, 0:00:00")
    assert lines[-1].startswith("fake  6/6 trials")
    assert lines[-1].endswith("\n")
    assert file.getvalue() == ""


def test_more_seeds_keep_the_trials_there_are(fake: Experiment[Fake], tmp_path: Path) -> None:
    computed = fake.trial
    assert isinstance(computed, Computed)
    few = run(fake, tmp_path)
    computed.seeds = []
    more = run(fake, tmp_path, seeds=9)
    assert computed.seeds == [6, 7, 8]
    assert more.trials[:6] == few.trials
    assert run(fake, tmp_path, seeds=2).trials == few.trials[:2]


def test_pilots_have_seeds_of_their_own_and_what_they_choose_is_told(
    fake: Experiment[Fake], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_pilot = replace(fake, pilot=fake.trial, choose=chosen)
    monkeypatch.setattr(runner, "named", lambda name: with_pilot)
    results = run(with_pilot, tmp_path, pilots=3)
    assert [trial.seed for trial in results.pilots] == [PILOT, PILOT + 1, PILOT + 2]
    assert results.settings["scale"] == 5.0
    plain = run(fake, tmp_path / "plain")
    assert results.values("a") == pytest.approx(5 * plain.values("a"))
    assert run(with_pilot, tmp_path, pilots=3) == results
    text = " ".join(report.summary(with_pilot, results).split())
    assert "3 other seeds for the pilot" in text


# nothing is lost

STARTED = """
import signal
import sys
from tests.test_experiments import TINY
from dataclasses import replace
from isoref.experiments import experiment
from isoref.experiments.runner import conduct
if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may ignore it
    settings = replace(TINY, seeds=40, epochs=int(sys.argv[2]))
    conduct(experiment("invariance"), "quick", settings, sys.argv[1], jobs=2)
"""


@contextmanager
def started(directory: Path, epochs: int) -> Iterator[subprocess.Popen[bytes]]:
    """Another process that conducts a study on two processes of its own."""
    program = directory / "started.py"
    program.write_text(STARTED)
    environment = {**os.environ, "PYTHONPATH": str(Path(isoref.__file__).parents[1])}
    words = [sys.executable, str(program), str(directory), str(epochs)]
    with subprocess.Popen(words, env=environment, stderr=subprocess.PIPE) as other:
        try:
            yield other
        finally:
            other.kill()


def children(other: subprocess.Popen[bytes]) -> list[str]:
    path = Path(f"/proc/{other.pid}/task/{other.pid}/children")
    return path.read_text().split() if path.exists() else []


def check_ended(pids: list[str]) -> None:
    limit = time.monotonic() + 30
    while alive := [pid for pid in pids if running(pid)]:
        assert time.monotonic() < limit, f"processes {alive} outlive their parent"
        time.sleep(0.02)


def test_a_killed_run_keeps_its_trials_and_takes_its_processes_along(tmp_path: Path) -> None:
    folder = tmp_path / "trials"
    with started(tmp_path, epochs=1) as other:
        while not (folder.exists() and len(list(folder.glob("0*.json"))) >= 2):
            assert other.poll() is None, other.stderr and other.stderr.read()
            time.sleep(0.02)
        pids = children(other)
        other.send_signal(signal.SIGKILL)
        other.wait()
    kept = {path.name: path.read_bytes() for path in folder.glob("0*.json")}
    assert 2 <= len(kept) < 40
    for data in kept.values():
        json.loads(data)  # whole files
    check_ended(pids)
    settings = replace(TINY, seeds=2)
    found = experiment("invariance")
    results = conduct(found, "quick", settings, str(tmp_path))
    assert results == conduct(found, "quick", settings, str(tmp_path / "whole"))


@pytest.mark.skipif(not Path("/proc").exists(), reason="needs to see the processes")
def test_an_interrupt_waits_for_no_trial(tmp_path: Path) -> None:
    with started(tmp_path, epochs=10**6) as other:
        while len(pids := children(other)) < 3:  # two, and the tracker of resources
            assert other.poll() is None, other.stderr and other.stderr.read()
            time.sleep(0.02)
        time.sleep(1)
        other.send_signal(signal.SIGINT)
        other.wait(timeout=30)
    check_ended(pids)
    assert not list((tmp_path / "trials").glob("0*.json"))


def test_an_interrupted_command_tells_how_it_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*_: Any, **__: Any) -> Results:
        raise KeyboardInterrupt

    monkeypatch.setattr(runner, "conduct", stopped)
    words = ["experiment", "sizes", "--quick", "--no-figures", "--out", str(tmp_path)]
    assert main(words) == 130
    trials = tmp_path / "sizes" / "trials"
    assert f"the same command goes on from {trials}\n" in capsys.readouterr().err


def running(pid: str) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_full_disk_keeps_what_is_finished(
    fake: Experiment[Fake], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, count = disk.write, 0

    def full(path: str, data: bytes) -> None:
        nonlocal count
        count += 1
        if count > 2:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)
        write(path, data)

    monkeypatch.setattr(disk, "write", full)
    with pytest.raises(OSError, match="No space"):
        run(fake, tmp_path)
    assert len(list((tmp_path / "trials").iterdir())) == 2
    monkeypatch.setattr(disk, "write", write)
    assert run(fake, tmp_path).n == 6


def test_one_process_works_in_a_directory(fake: Experiment[Fake], tmp_path: Path) -> None:
    with locked(tmp_path), pytest.raises(LockError, match="is writing there"):
        run(fake, tmp_path)
    assert run(fake, tmp_path).n == 6


def test_trials_of_another_study_are_refused(fake: Experiment[Fake], tmp_path: Path) -> None:
    run(fake, tmp_path)
    with pytest.raises(ValueError, match=r"another study: scale is 1\.0 there and 3\.0 here"):
        run(fake, tmp_path, scale=3.0)
    path = tmp_path / "trials" / "00001.json"
    whole = path.read_bytes()
    for damaged in (whole[:20], b"", b"[1]", b'{"numbers": 1}'):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"00001\.json must be the file of a trial"):
            run(fake, tmp_path)
        assert path.read_bytes() == damaged
    path.unlink()
    assert run(fake, tmp_path).n == 6


def test_the_folder_of_the_data_is_no_part_of_a_study(
    fake: Experiment[Fake], tmp_path: Path
) -> None:
    one = report.encode(run(fake, tmp_path, root="here"))
    assert report.encode(run(fake, tmp_path, root="there")) == one
    assert b"here" not in one


# what is written


def test_results_are_read_as_they_were_written(fake: Experiment[Fake], tmp_path: Path) -> None:
    results = run(fake, tmp_path)
    assert report.decode(report.encode(results)) == results
    rows = list(csv.DictReader(io.StringIO(report.table(results))))
    assert len(rows) == 6 * 3
    assert {row["quantity"] for row in rows} == {"a", "more/list/0", "more/list/1"}
    told = [float(row["value"]) for row in rows if row["quantity"] == "a"]
    assert told == results.values("a").tolist()
    for wrong in (b"", b"{}", b"[]", b'{"format": "isoref-experiment", "version": 2}'):
        with pytest.raises(ValueError, match=r"results\.json of an experiment is expected"):
            report.decode(wrong)


def test_a_summary_tells_the_numbers_of_the_results(fake: Experiment[Fake], tmp_path: Path) -> None:
    text = report.summary(fake, run(fake, tmp_path))
    assert text.startswith("# A fake\n")
    assert "**It is.** *Supported.*" in text
    assert "| 0 | " in text
    assert "decides nothing" in text
    assert str(tmp_path) not in text


def test_a_summary_says_when_no_difference_can_be_clear(
    fake: Experiment[Fake], tmp_path: Path
) -> None:
    few, enough = (report.summary(fake, run(fake, tmp_path, seeds=n)) for n in (5, 6))
    assert "With 5 seeds no difference can be clear" in few
    assert "can have is 0.0625" in " ".join(few.split())
    assert "can be clear" not in enough


def test_a_summary_changes_with_every_number(fake: Experiment[Fake], tmp_path: Path) -> None:
    results = run(fake, tmp_path)
    first, *rest = results.trials
    for numbers in ({**first.numbers, "a": first.numbers["a"] + 1e-9}, {**first.numbers, "b": 0}):
        other = replace(results, trials=(Trial(0, numbers), *rest))
        assert report.summary(fake, other) != report.summary(fake, results)
    mark = hashlib.sha256(report.encode(results)).hexdigest()[:16]
    assert f"begins with {mark}." in " ".join(report.summary(fake, results).split())


def test_a_summary_tells_the_command_that_made_it(fake: Experiment[Fake], tmp_path: Path) -> None:
    results = run(fake, tmp_path)
    told = {
        ("quick", "digits"): "fake --quick --seeds 6`",
        ("default", "digits"): "fake --seeds 6`",
        ("quick", "mnist"): "fake --quick --data mnist --root FOLDER --seeds 6`",
        ("published", "mnist"): "fake --data mnist --root FOLDER --seeds 6`",
    }
    for (study, data), words in told.items():
        other = replace(results, study=study, settings={**results.settings, "data": data})
        assert words in report.summary(fake, other)


@DRAWING
def test_figures_have_the_same_bytes_every_time(fake: Experiment[Fake], tmp_path: Path) -> None:
    results = run(fake, tmp_path)
    first, second = (report.drawn(fake, results, ("svg", "png")) for _ in range(2))
    assert first == second
    assert sorted(first) == ["fake.png", "fake.svg"]
    assert first["fake.png"][:4] == b"\x89PNG"
    assert b"<dc:date>" not in first["fake.svg"]


# the command


def test_the_command_writes_everything_and_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["experiment", "certificates", "--quick", "--seeds", "2", "--out", str(tmp_path)]
    words += [] if figures.available() else ["--no-figures"]
    assert main(words) == 0
    first = capsys.readouterr()
    assert first.out.startswith("# Certificates along a pruning path\n")
    made = {path.name for path in (tmp_path / "certificates").iterdir()}
    assert {"results.json", "results.csv", "summary.md", "trials"} <= made
    if figures.available():
        assert {"certificates.svg", "certificates.png"} <= made
    results = (tmp_path / "certificates" / "results.json").read_bytes()
    assert main(words) == 0
    assert capsys.readouterr().out == first.out
    assert (tmp_path / "certificates" / "results.json").read_bytes() == results
    assert main([*words, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads(results)


def test_the_results_of_all_are_one_list(
    fake: Experiment[Fake],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(experiments, "EXPERIMENTS", {"fake": "a", "false": "b"})
    monkeypatch.setattr(experiments, "experiment", lambda name: replace(fake, name=name))
    monkeypatch.setattr(
        runner, "conduct", lambda each, study, settings, directory, **_: run(fake, tmp_path / "run")
    )
    words = ["experiment", "all", "--quick", "--no-figures", "--json", "--out", str(tmp_path)]
    assert main(words) == 0
    told = json.loads(capsys.readouterr().out)
    assert len(told) == 2
    assert all(each["trials"] for each in told)


def test_without_a_name_the_experiments_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["experiment"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(EXPERIMENTS)


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["magic"], "name must be one of timing, invariance, .*, got 'magic'"),
        (["sizes", "--seeds", "1"], "seeds must be an integer from 2 to 10000"),
        (["sizes", "--seeds", "10001"], "seeds must be an integer from 2 to 10000"),
        (["sizes", "--jobs", "0"], "jobs must be an integer from 1 to 1024, got 0"),
        (["sizes", "--data", "imagenet"], "digits.*mnist.*cifar10"),
        (["sizes", "--data", "cifar10"], "cifar10 needs data_batch_1.bin.*the binary version"),
        (["sizes", "--data", "mnist", "--quick"], "mnist needs train-images-idx3-ubyte.*IDX"),
    ],
)
def test_wrong_options_compute_nothing(
    words: list[str], text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import re

    root = ["--root", str(tmp_path / "nowhere"), "--out", str(tmp_path / "out"), "--no-figures"]
    assert main(["experiment", *words, *root]) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert re.search(text, output.err), output.err
    assert not (tmp_path / "out").exists()


def test_figures_are_asked_for_before_anything_is_computed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(figures, "available", lambda: False)
    assert main(["experiment", "sizes", "--quick", "--out", str(tmp_path / "out")]) == 2
    assert "pip install 'isoref[plots]', or leave them out with --no-figures" in (
        capsys.readouterr().err
    )
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "name", ["mnist", "fashion-mnist", "emnist-letters", "cifar10", "cifar100"]
)
def test_trials_run_on_files_of_the_user(name: str, tmp_path: Path) -> None:
    written(tmp_path, name)
    found = experiment("certificates")
    settings = replace(
        found.studies["quick"], data=name, root=str(tmp_path), hidden=(3, 3), epochs=1
    )
    numbers = runner.trial("certificates", 0, settings)
    assert list(numbers["spaces"]) == ["1", "2"]
    other = runner.trial("certificates", 1, settings)
    assert other != numbers  # another network and order on the same samples


# the experiments


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_experiment_is_complete(name: str) -> None:
    found = experiment(name)
    assert found.name == name
    assert set(found.studies) == set(STUDIES)
    assert found.studies["default"].seeds >= 16
    assert "" in found.figures
    assert (found.pilot is None) == (found.choose is None)
    told = json.dumps(found.studies["published"].told())
    assert "root" not in json.loads(told)


def test_learning_is_that_of_the_settings() -> None:
    settings = Learning(hidden=(8,), epochs=2, rate=0.01)
    parts = samples(settings, 3)
    run = fit(network(settings, parts, 3), parts, settings, 3)
    assert run.net.widths == (64, 8, 10)
    assert run.history[-1]["rate"] == 0.01
    assert 0 <= held_accuracy(run.net, parts) <= 100
    assert samples(settings, 4).held_x.tobytes() != parts.held_x.tobytes()


def test_all_data_sets_of_the_tasks_are_looked_for_before_anything_is_computed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written(tmp_path / "mnist", "mnist")
    words = ["experiment", "tasks", "--data", "mnist", "--root", str(tmp_path), "--no-figures"]
    assert main([*words, "--out", str(tmp_path / "out")]) == 2
    text = capsys.readouterr().err
    assert "fashion-mnist needs train-images-idx3-ubyte" in text
    assert text.endswith("These are files that the experiment tasks reads.\n")
    assert not (tmp_path / "out").exists()
    tasks = experiment("tasks")
    other = replace(tasks.studies["published"], data="cifar10")
    assert list(tasks.sources(other)) == ["cifar10"]
    assert list(experiment("sizes").sources(experiment("sizes").studies["quick"])) == ["digits"]


@pytest.mark.slow
@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_quick_study_runs(name: str, tmp_path: Path) -> None:
    words = ["experiment", name, "--quick", "--jobs", "2", "--out", str(tmp_path)]
    assert main(words + ([] if figures.available() else ["--no-figures"])) == 0
    results = report.decode((tmp_path / name / "results.json").read_bytes())
    assert results.study == "quick"


@pytest.mark.parametrize(
    ("words", "text"),
    [(["magic"], "name must be one of"), (["sizes", "--seeds", "1"], "seeds must be an integer")],
)
def test_a_wrong_word_is_told_before_a_missing_package(
    words: list[str],
    text: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(figures, "available", lambda: False)
    assert main(["experiment", *words, "--out", str(tmp_path / "out")]) == 2
    assert text in capsys.readouterr().err
