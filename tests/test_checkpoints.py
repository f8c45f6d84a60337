"""Checkpoints: a run that is killed, resumed, damaged or shared loses nothing, and says so."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from isoref import Network, grow, sparsify
from isoref.control import Elementwise
from isoref.data import load_digits, split, standardise
from isoref.files import FileError
from isoref.files.lock import LockError
from isoref.network import leaves, plain
from isoref.training import (
    SGD,
    AdamW,
    Checkpoints,
    Diverged,
    Orthogonalised,
    Run,
    cross_entropy,
    read_checkpoint,
    train,
)
from isoref.training.optimiser import Optimiser
from isoref.training.rates import Cosine
from isoref.training.schedules import Widths

PARTS = standardise(split(*load_digits(), seed=0))
NET = Network.random((64, 8, 6, 10), q=0.1, seed=0)
RULES = (Widths(start=(8, 6), target=(5, 8), hold=1, over=2),)
KILLED: dict[str, Any] = {
    "rules": (Widths(start=(8, 6), target=(3, 12), hold=2, over=20),),
    "epochs": 60,
    "edit_every": 9,
    "probe": 4,
}


def learnt(start: Any = NET, **changes: Any) -> Run[Any]:
    settings: dict[str, Any] = {"optimiser": SGD(rate=0.1), "epochs": 3, "batch": 50, "seed": 0}
    return train(start, PARTS.x, PARTS.labels, **(settings | changes))


def same_run(a: Run[Any], b: Run[Any]) -> bool:
    trees = [(a.net, b.net), *((a.state.moments[k], b.state.moments[k]) for k in a.state.moments)]
    equal = all(
        np.array_equal(x, y) for s, t in trees for _, _, (x, y) in leaves(plain(s), plain(t))
    )
    records = [[event.record() for event in run.events] for run in (a, b)]
    return (
        equal
        and a.history == b.history
        and records[0] == records[1]
        and (a.state.steps, a.epoch, a.within, a.loss) == (b.state.steps, b.epoch, b.within, b.loss)
    )


@pytest.mark.parametrize(
    ("optimiser", "start", "rules"),
    [
        (SGD(rate=0.1, nesterov=True, decay=1e-3), NET, RULES),
        (Orthogonalised(rate=0.05), NET, RULES),
        (AdamW(rate=0.01), NET, ()),
        (AdamW(rate=0.01, clip=0.1), sparsify(NET)[0], ()),
        (SGD(rate=0.1), Elementwise.random((64, 8, 6, 10), seed=0), ()),
    ],
    ids=["sgd", "orthogonalised", "adamw", "sparse", "elementwise"],
)
def test_what_is_read_is_what_was_written(
    tmp_path: Path, optimiser: Optimiser, start: Any, rules: Any
) -> None:
    run = learnt(start, optimiser=optimiser, rules=rules, checkpoints=Checkpoints(str(tmp_path)))
    back = read_checkpoint(tmp_path)
    assert type(back.net) is type(run.net)
    assert same_run(run, back)
    again = learnt(
        start, optimiser=optimiser, rules=rules, checkpoints=Checkpoints(str(tmp_path), resume=True)
    )
    assert same_run(run, again)


def test_killed_anywhere_and_resumed_it_ends_byte_for_byte_the_same(tmp_path: Path) -> None:
    """A process of its own, killed by the system at 50 random moments."""
    program = """
import sys
from tests.test_checkpoints import KILLED, Checkpoints, learnt
print("started", flush=True)
learnt(**KILLED, checkpoints=Checkpoints(sys.argv[1], every=2, resume=True))
"""
    rng = np.random.default_rng(0)
    whole, kills, seen = learnt(**KILLED), 0, set()
    for number in range(50):
        directory = tmp_path / str(number)
        directory.mkdir()
        command, steps = [sys.executable, "-c", program, str(directory)], [0]
        while True:
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            assert process.stdout is not None
            process.stdout.readline()
            if kills < 50:
                time.sleep(float(rng.exponential(0.05)))
                process.kill()
            _, errors = process.communicate()
            if process.returncode == 0:
                break
            assert process.returncode == -signal.SIGKILL, errors.decode()
            kills += 1
            if (directory / "checkpoint.npz").exists():
                steps.append(read_checkpoint(directory).state.steps)
        assert steps == sorted(steps)
        assert same_run(whole, read_checkpoint(directory))
        seen |= set(steps)
        if kills == 50:
            break
    assert kills == 50
    assert len(seen) > 10


# What keeps a run from going on


def test_settings_data_and_start_must_be_the_same(tmp_path: Path) -> None:
    learnt(epochs=1, checkpoints=Checkpoints(str(tmp_path)))
    again = Checkpoints(str(tmp_path), resume=True)
    for changes, text in (
        ({"seed": 1}, r"another run: seed was 0, now it is 1; give the same settings and data"),
        ({"optimiser": SGD(rate=0.2)}, r"optimiser was SGD\(rate=0.1.*now it is SGD\(rate=0.2"),
        ({"batch": 51}, "batch was 50, now it is 51"),
        ({"rules": RULES}, "rules was"),
        ({"start": Network.random((64, 8, 6, 10), seed=1)}, "start was"),
        ({"schedule": Cosine()}, "schedule was Constant"),
        ({"start": Network(NET.layers, "softsign")}, "kind was Network tanh"),
        ({"start": Elementwise(Network.random((64, 8, 6, 10), seed=0).layers)}, "kind was"),
        ({"start": learnt(optimiser=SGD(rate=0.1), epochs=1)}, "start was"),
    ):
        with pytest.raises(FileError, match=text):
            learnt(checkpoints=again, **changes)
    with pytest.raises(FileError, match="x was"):
        train(
            NET,
            2 * PARTS.x,
            PARTS.labels,
            optimiser=SGD(rate=0.1),
            epochs=3,
            batch=50,
            seed=0,
            checkpoints=again,
        )
    assert learnt(epochs=2, checkpoints=again).epoch == 2


def scaled_loss(y: Any, labels: Any, scale: Any) -> Any:
    value, ybar = cross_entropy(y, labels)
    return scale * value, scale * ybar


def test_a_partial_loss_is_recognised_in_another_process_and_a_closure_refused(
    tmp_path: Path,
) -> None:
    program = """
import sys
from functools import partial
from tests.test_checkpoints import Checkpoints, learnt, scaled_loss
learnt(loss=partial(scaled_loss, scale=0.5), epochs=int(sys.argv[2]),
       checkpoints=Checkpoints(sys.argv[1], resume=True))
"""
    for epochs in ("1", "2"):
        command = [sys.executable, "-c", program, str(tmp_path), epochs]
        subprocess.run(command, check=True, capture_output=True)
    half = partial(scaled_loss, scale=0.5)
    assert same_run(read_checkpoint(tmp_path), learnt(loss=half, epochs=2))
    again = Checkpoints(tmp_path, resume=True)
    with pytest.raises(FileError, match=r"loss was tests.*scale=0.5.*now it is.*scale=2.0"):
        learnt(loss=partial(scaled_loss, scale=2.0), checkpoints=again)
    for loss in (lambda y, labels: scaled_loss(y, labels, 2.0), object()):
        with pytest.raises((ValueError, TypeError), match="loss must be a function of a module"):
            learnt(loss=loss, checkpoints=again)


def test_a_moment_that_overflows_stops_the_run(tmp_path: Path) -> None:
    net = Network.random((64, 8, 10), dtype="float32", seed=0)
    x = PARTS.x.astype(np.float32)
    settings: dict[str, Any] = {"optimiser": AdamW(rate=0.01), "epochs": 2, "batch": 50, "seed": 0}
    huge = partial(scaled_loss, scale=np.float32(1e24))
    with pytest.raises(Diverged, match=r"a moment diverged; .*'second' of layers\[0\]"):
        train(net, x, PARTS.labels, loss=huge, checkpoints=Checkpoints(tmp_path), **settings)


def test_an_edit_between_two_calls_is_an_event_too(tmp_path: Path) -> None:
    first = learnt(epochs=1)
    grown, report = grow(first.net, 1, 2, seed=0)
    run = first.edited(grown, report, inputs=PARTS.x[:4])
    assert run.events[-1].measured is not None
    second = learnt(run, epochs=2, checkpoints=Checkpoints(tmp_path))
    assert read_checkpoint(tmp_path).events[0].record() == second.events[0].record()
    assert same_run(second, read_checkpoint(tmp_path))


def test_a_run_in_the_middle_of_an_epoch_goes_on_with_its_own_batch(tmp_path: Path) -> None:
    run = replace(learnt(epochs=1), within=5, loss=3.0)
    with pytest.raises(ValueError, match=r"start stands at step 5 of its epoch, which has 3 with"):
        learnt(run, batch=500)


def test_a_checkpoint_is_not_overwritten_by_another_run(tmp_path: Path) -> None:
    learnt(epochs=1, checkpoints=Checkpoints(str(tmp_path)))
    before = (tmp_path / "checkpoint.npz").read_bytes()
    with pytest.raises(FileExistsError, match="a checkpoint is there already; resume from it"):
        learnt(epochs=1, seed=1, checkpoints=Checkpoints(str(tmp_path)))
    assert (tmp_path / "checkpoint.npz").read_bytes() == before


def test_two_processes_do_not_write_one_directory(tmp_path: Path) -> None:
    program = """
import sys
from isoref.files.lock import locked
with locked(sys.argv[1]):
    print("locked", flush=True)
    sys.stdin.read()
"""
    command = [sys.executable, "-c", program, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        with pytest.raises(LockError, match=f"process.*{other.pid}"):
            learnt(epochs=1, checkpoints=Checkpoints(tmp_path))
        assert not (tmp_path / "checkpoint.npz").exists()
        other.communicate()
    assert learnt(epochs=1, checkpoints=Checkpoints(tmp_path)).epoch == 1


def test_what_a_killed_process_left_is_cleared_away(tmp_path: Path) -> None:
    (tmp_path / ".isoref-0123.tmp").write_bytes(b"half a checkpoint")
    learnt(epochs=1, checkpoints=Checkpoints(tmp_path))
    assert not list(tmp_path.glob("*.tmp"))
    assert not list(tmp_path.glob(".isoref-*.tmp"))


def test_the_event_of_another_run_is_refused(tmp_path: Path) -> None:
    for seed in (0, 1):
        (tmp_path / str(seed)).mkdir()
        there = Checkpoints(tmp_path / str(seed))
        learnt(epochs=2, seed=seed, rules=RULES, probe=4, checkpoints=there)
    other = (tmp_path / "1" / "event-0.npz").read_bytes()
    (tmp_path / "0" / "event-0.npz").write_bytes(other)
    with pytest.raises(FileError, match=r"event-0\.npz: the file must be the one that checkpoint"):
        read_checkpoint(tmp_path / "0")


def test_a_diverged_run_keeps_the_last_good_checkpoint(tmp_path: Path) -> None:
    class Spoilt:
        calls = 0

        def __repr__(self) -> str:
            return "Spoilt()"

        def __call__(self, y: Any, given: Any) -> Any:
            self.calls += 1
            value, ybar = cross_entropy(y, given)
            return value * (np.nan if self.calls == 70 else 1.0), ybar

    with pytest.raises(Diverged, match="at step 70") as found:
        learnt(loss=Spoilt(), checkpoints=Checkpoints(str(tmp_path), every=4))
    assert "checkpoint.npz, is as it was" in found.value.__notes__[0]
    assert read_checkpoint(tmp_path).state.steps == 68


def test_a_damaged_checkpoint_is_refused(tmp_path: Path) -> None:
    learnt(epochs=2, rules=RULES, probe=4, checkpoints=Checkpoints(str(tmp_path)))
    path = tmp_path / "checkpoint.npz"
    data = path.read_bytes()
    rng = np.random.default_rng(0)
    whole = read_checkpoint(tmp_path)
    for _ in range(300):
        damaged = bytearray(data)
        if rng.random() < 0.3:
            del damaged[int(rng.integers(len(data))) :]
        else:
            damaged[int(rng.integers(len(data)))] ^= 1 << int(rng.integers(8))
        path.write_bytes(damaged)
        with suppress(FileError):
            assert same_run(whole, read_checkpoint(tmp_path))
    path.write_bytes(data)
    event = tmp_path / "event-0.npz"
    event.write_bytes(event.read_bytes()[:-1])
    with pytest.raises(FileError, match="event-0"):
        read_checkpoint(tmp_path)


def test_a_directory_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="create the directory first"):
        learnt(checkpoints=Checkpoints(str(tmp_path / "none")))
    with pytest.raises(ValueError, match="every must be a positive number of steps, got 0"):
        Checkpoints(str(tmp_path), every=0)
