"""The one error of a file that is damaged or of another kind, and how it shows what came."""

from __future__ import annotations


class FileError(ValueError):
    """A file is damaged, of another kind than expected, or larger than allowed.

    The message names the file, the entry, what was expected and what came. Whatever bytes a file
    has, reading it raises nothing else; a path that cannot be opened raises the OSError that the
    system gives.
    """


def shown(value: object) -> str:
    """Return what a message says of a value that came from a file: never long, never nested."""
    if isinstance(value, str):
        return repr(value if len(value) <= 60 else value[:57] + "...")
    if value is None or isinstance(value, int | float):
        return repr(value)
    return f"a {type(value).__name__}"
