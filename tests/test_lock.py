"""One process per directory: who comes second is told, and a dead process holds nothing."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import isoref
from isoref.files import lock
from isoref.files.lock import NAME, LockError, locked

HOLDER = """
import sys
from isoref.files.lock import locked
with locked(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.read()
"""

FORKING = """
import os, sys
from isoref.files.lock import LockError, locked
with locked(sys.argv[1]):
    if os.fork() == 0:
        try:
            with locked(sys.argv[1]):
                print("stolen", flush=True)
        except LockError:
            print("held", flush=True)
        sys.stdin.read()
        os._exit(0)
    os.wait()
"""


@contextmanager
def process(directory: Path, code: str = HOLDER) -> Iterator[subprocess.Popen[str]]:
    """Another process that says whether it holds the lock, and ends when its input does."""
    root = str(Path(isoref.__file__).parents[1])
    with subprocess.Popen(
        [sys.executable, "-c", code, str(directory)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": root},
    ) as other:
        try:
            yield other
        finally:
            other.kill()


def said(other: subprocess.Popen[str]) -> str:
    assert other.stdout is not None
    return other.stdout.readline().strip()


def free(directory: Path) -> bool:
    try:
        with locked(directory):
            return True
    except LockError:
        return False


def test_one_process_at_a_time(tmp_path: Path) -> None:
    with process(tmp_path) as first:
        assert said(first) == "held"
        with process(tmp_path) as second:
            _, errors = second.communicate(timeout=30)
            assert second.returncode == 1
        told = f"another process, {first.pid}, is writing there; wait for it, stop it, or choose "
        assert f"LockError: [Errno {errno.EAGAIN}] {told}another directory: " in errors
        assert str(tmp_path) in errors
        with pytest.raises(LockError, match=told), locked(tmp_path):
            pass
        first.communicate("", timeout=30)
        assert first.returncode == 0
        assert free(tmp_path)


def test_this_process_keeps_others_out(tmp_path: Path) -> None:
    with locked(tmp_path), process(tmp_path) as other:
        _, errors = other.communicate(timeout=30)
        assert f"another process, {os.getpid()}, is writing there" in errors
    with process(tmp_path) as other:
        assert said(other) == "held"


def test_a_killed_process_leaves_no_lock(tmp_path: Path) -> None:
    with process(tmp_path) as other:
        assert said(other) == "held"
        assert not free(tmp_path)
        other.send_signal(signal.SIGKILL)
        other.wait(30)
        assert (tmp_path / NAME).read_text() == f"{other.pid}\n"
        assert free(tmp_path)
    assert (tmp_path / NAME).read_text() == f"{os.getpid()}\n"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_neither_has_the_lock_nor_keeps_it(tmp_path: Path) -> None:
    with process(tmp_path, FORKING) as parent:
        assert said(parent) == "held"
        parent.kill()
        parent.wait(30)
        assert free(tmp_path)  # the child still waits for its input


def test_no_second_block_of_this_process(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(".")
    (tmp_path / "other").mkdir()
    with locked(tmp_path):
        for path in (tmp_path, str(tmp_path), os.fsencode(tmp_path), tmp_path / "link"):
            with (
                pytest.raises(LockError, match=r"this process is writing there already; choose"),
                locked(path),  # type: ignore[arg-type]
            ):
                pass
        with locked(tmp_path / "other"):
            pass
        found = []
        thread = threading.Thread(target=lambda: found.append(free(tmp_path)))
        thread.start()
        thread.join()
        assert found == [False]
        assert not free(tmp_path)
    assert free(tmp_path)
    assert issubclass(LockError, OSError)


def test_where_a_process_would_lock_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on NFS: the system would not refuse the second block."""
    monkeypatch.setattr(lock, "_lock", lambda _: None)
    with locked(tmp_path):
        assert not free(tmp_path)
    assert free(tmp_path)


def test_the_lock_ends_with_an_error(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), locked(tmp_path):
        raise KeyboardInterrupt
    assert free(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == [NAME]


def test_an_owner_that_has_not_signed(tmp_path: Path) -> None:
    for text in (b"", b"\xff", b"x" * 1000):
        with locked(tmp_path):
            lock._held.clear()  # so that the file is asked
            (tmp_path / NAME).write_bytes(text)
            with pytest.raises(LockError, match="another process is writing there"):
                locked(tmp_path).__enter__()
    with locked(tmp_path):
        lock._held.clear()
        with pytest.raises(LockError, match="this process is writing there already"):
            locked(tmp_path).__enter__()


def test_directories_that_cannot_be_locked(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"cannot lock the directory.*create the directory"):
        locked(tmp_path / "none").__enter__()
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(NotADirectoryError, match="give a directory"):
        locked(tmp_path / "file").__enter__()
    with pytest.raises(NotADirectoryError, match="give a directory"):
        locked(tmp_path / "file" / "below").__enter__()
    with pytest.raises(TypeError, match="path must be a string or a path, got int"):
        locked(3).__enter__()  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="path of a directory is expected"):
        locked("a\0b").__enter__()
    assert not (tmp_path / "file" / NAME).exists()


def test_a_lock_that_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "precious").write_bytes(b"old")
    (tmp_path / NAME).symlink_to("precious")
    with pytest.raises(OSError, match="which is a link, or choose another directory"):
        locked(tmp_path).__enter__()
    assert (tmp_path / "precious").read_bytes() == b"old"
    (tmp_path / NAME).unlink()
    (tmp_path / NAME).mkdir()
    with pytest.raises(IsADirectoryError, match="which is a directory, or choose another"):
        locked(tmp_path).__enter__()


ERRORS = {
    errno.EACCES: (PermissionError, "change the permissions or choose another directory"),
    errno.EROFS: (OSError, "choose a directory on a file system that can be written"),
    errno.ENOSPC: (OSError, "free some space"),
    errno.EMFILE: (OSError, "cannot lock the directory: Too many open files; choose another"),
}


@pytest.mark.parametrize("number", ERRORS)
def test_a_directory_that_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def fail(path: str, *_: Any, **__: Any) -> int:
        raise OSError(number, os.strerror(number), path)

    error, message = ERRORS[number]
    with monkeypatch.context() as patch:
        patch.setattr(os, "open", fail)
        with pytest.raises(error, match=message) as caught:
            locked(tmp_path).__enter__()
    assert str(tmp_path) in str(caught.value)
    assert not isinstance(caught.value, LockError)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write")
def test_a_read_only_directory(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(PermissionError, match="change the permissions"):
        locked(tmp_path).__enter__()


def test_a_file_system_without_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: Any) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(lock, "_lock", fail)
    with pytest.raises(OSError, match="No locks available; choose another directory"):
        locked(tmp_path).__enter__()
