"""One process per directory: a lock that no two hold, and that dies with its process.

The lock is on an open file, `.isoref-lock`; the file itself says nothing and stays. It must not be
removed while somebody writes: a second process would lock a new file of that name.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import FileIO

from isoref.files.disk import spelled

NAME = ".isoref-lock"

_ADVICE = {
    errno.ENOENT: "create the directory first",
    errno.ENOTDIR: "give a directory",
    errno.EISDIR: f"remove {NAME}, which is a directory, or choose another directory",
    errno.ELOOP: f"remove {NAME}, which is a link, or choose another directory",
    errno.EACCES: "change the permissions or choose another directory",
    errno.EPERM: "change the permissions or choose another directory",
    errno.EROFS: "choose a directory on a file system that can be written",
    errno.ENOSPC: "free some space or choose another directory",
    errno.EDQUOT: "free some space or choose another directory",
}

_held: dict[tuple[int, int], FileIO] = {}
"""The locks of this process, by device and number of the directory."""


class LockError(OSError):
    """Another process, or this one, has locked the directory."""


if sys.platform == "win32":
    import msvcrt

    _FAR = 2**30  # Windows lets nobody read what is locked, and the number of the process is at 0

    def _lock(file: FileIO) -> None:
        file.seek(_FAR)
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        file.seek(0)
else:
    import fcntl

    def _lock(file: FileIO) -> None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


@contextmanager
def locked(directory: str | os.PathLike[str]) -> Iterator[None]:
    """Hold the lock of `directory`; nothing is waited for.

    The lock ends with the block, or with the process however that ends. It is advisory: it keeps
    out those who ask for it.

    Parameters
    ----------
    directory : str or os.PathLike
        It exists and can be written to.

    Raises
    ------
    LockError
        An OSError, when another process holds the lock, or another block of this one.
    OSError
        When the lock cannot be asked for: FileNotFoundError, NotADirectoryError, PermissionError …

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as directory, locked(directory):
    ...     try:
    ...         with locked(directory):
    ...             pass
    ...     except LockError as error:
    ...         print(error.strerror)
    this process is writing there already; choose another directory
    """
    path = spelled(directory)
    try:
        status = os.stat(path)
        place = (status.st_dev, status.st_ino)
        # Before the file is opened: where a lock belongs to the process, as on NFS, a second
        # opening would get it, and closing would end the first.
        if place in _held:
            raise _refused(path, os.getpid())
        file = _opened(path)
    except LockError:
        raise
    except OSError as error:
        raise _explained(path, error) from error
    except ValueError as error:
        raise ValueError(f"{path!r}: the path of a directory is expected ({error})") from error
    with file:
        try:
            _lock(file)
        except OSError as error:
            if error.errno in (errno.EAGAIN, errno.EACCES, errno.EDEADLK):
                raise _refused(path, _owner(file)) from error
            raise _explained(path, error) from error
        _held[place] = file
        try:
            _sign(file)
            yield
        finally:
            _held.pop(place, None)


def _opened(path: str) -> FileIO:
    """Open the file of the lock; a link is not followed, for it will be written to."""
    flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    if not os.path.isdir(path):
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), path)
    return FileIO(
        os.path.join(path, NAME), "r+", opener=lambda name, _: os.open(name, flags, 0o666)
    )


def _sign(file: FileIO) -> None:
    """Write who holds the lock, for the message to others; the lock does without."""
    with suppress(OSError):
        file.truncate(0)
        file.write(b"%d\n" % os.getpid())


def _owner(file: FileIO) -> int | None:
    """Return the number in the file, None where there is none: its owner may be about to write."""
    try:
        file.seek(0)
        return int(file.read(20))
    except (OSError, ValueError):
        return None


def _refused(path: str, owner: int | None) -> LockError:
    if owner == os.getpid():
        reason = "this process is writing there already; choose another directory"
    else:
        who = "another process" if owner is None else f"another process, {owner},"
        reason = f"{who} is writing there; wait for it, stop it, or choose another directory"
    return LockError(errno.EAGAIN, reason, path)


def _explained(path: str, error: OSError) -> OSError:
    """Return the error with the directory and what to do; its type stays."""
    advice = _ADVICE.get(error.errno or 0, "choose another directory")
    reason = f"cannot lock the directory: {error.strerror or error}; {advice}"
    return type(error)(error.errno or errno.EIO, reason, path)


def _let_go() -> None:
    """Close the locks of the parent in a forked child, which would outlive the parent in it."""
    for file in _held.values():
        file.close()
    _held.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_let_go)
