"""The names of isoref are imported when they are asked for."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec

import pytest

import isoref


def test_every_public_name_is_found_and_none_hides_a_module() -> None:
    names = import_module("isoref.names")
    for name in isoref.__all__:
        assert getattr(isoref, name) is getattr(names, name)
        assert find_spec(f"isoref.{name}") is None


def test_names_are_listed_for_completion() -> None:
    assert {*isoref.__all__, "__version__"} <= {*dir(isoref)}


def test_modules_are_found_and_nothing_else_is() -> None:
    assert isoref.topology is import_module("isoref.topology")
    with pytest.raises(AttributeError, match="module 'isoref' has no attribute 'forwards'"):
        _ = isoref.forwards  # type: ignore[attr-defined]
