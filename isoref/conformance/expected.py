"""Expected failures: a file that names tests which fail, each with the reason.

    # one pattern of ids a line, and after # the reason
    L3.backward.softsign.*  # the gradient of q is known to be wrong at r = 0
    L2.values.unit.004      # underflows, mended in the next release

A test that is named and holds is XPASS, which is red; a line that no failure needs is an error. So
the file can only shrink.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from isoref.conformance.status import Record, Status

_LINE = re.compile(r"(?P<pattern>[^\s#]+)\s*#\s*(?P<reason>\S.*)")
_USED = frozenset({Status.XFAIL, Status.XPASS, Status.BLOCKED, Status.NOTRUN})


@dataclass(frozen=True)
class ExpectedFailures:
    """The lines of a file: patterns, their reasons, and where they stand."""

    path: Path
    reasons: Mapping[str, str]
    lines: Mapping[str, int]

    def unused(self, records: Sequence[Record], levels: Collection[int] = range(1, 7)) -> list[str]:
        """Return a sentence for every line that no failure of these levels needed.

        What is blocked or was not reached may still need its line.
        """
        ids = [record.id for record in records]
        return [*self.unknown(ids, levels), *self.needless(records, ids)]

    def needless(self, records: Sequence[Record], ids: Sequence[str]) -> list[str]:
        """Return a sentence for every line that names tests, all of which were run, none failing.

        `ids` are those of all tests there are, run or not.
        """
        found, seen = [], {record.id: record.status for record in records}
        for pattern, line in self.lines.items():
            named = [name for name in ids if fnmatchcase(name, pattern)]
            statuses = {seen.get(name, Status.NOTRUN) for name in named}
            if statuses and not statuses & _USED:
                text = ", ".join(sorted(statuses))
                found.append(
                    f"{self.path}, line {line}: {pattern} names only tests that did not fail "
                    f"({text}); take it off"
                )
        return found

    def unknown(self, ids: Sequence[str], levels: Collection[int] = range(1, 7)) -> list[str]:
        """Return a sentence for every line that names no test of these levels."""
        found = []
        for pattern, line in self.lines.items():
            level = re.match(r"L(\d)\.", pattern)
            if level and int(level[1]) not in levels:
                continue
            if not any(fnmatchcase(name, pattern) for name in ids):
                found.append(f"{self.path}, line {line}: {pattern} names no test; take it off")
        return found


def read(path: Path | str) -> ExpectedFailures:
    """Read a file of expected failures.

    Raises
    ------
    ValueError
        When it cannot be read, a line has no reason, or a pattern comes twice; the sentence has the
        number of the line.
    """
    path = Path(path)
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise ValueError(f"{path}, line {line}: must be text in UTF-8") from None
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror or error}") from None
    reasons: dict[str, str] = {}
    lines: dict[str, int] = {}
    for number, content in enumerate(text.split("\n"), 1):
        content = content.strip()
        if not content or content.startswith("#"):
            continue
        parsed = _LINE.fullmatch(content)
        if parsed is None:
            raise ValueError(
                f"{path}, line {number}: must be a pattern of ids, then # and the reason, as in "
                f"L2.values.unit.*  # underflows; got {content!r}"
            )
        pattern = parsed["pattern"]
        if pattern in reasons:
            raise ValueError(f"{path}, line {number}: {pattern} is on line {lines[pattern]} too")
        reasons[pattern], lines[pattern] = parsed["reason"], number
    return ExpectedFailures(path, reasons, lines)
