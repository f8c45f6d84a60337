"""Edits as files: a replay of what is loaded is a replay of what was saved, bit for bit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import isoref.edits
from isoref import Network, save
from isoref.arrays import haar
from isoref.control import Add, Elementwise, Remove
from isoref.edits import Drop, Edit, Grow, Impose, Inputs, Materialise, Outputs, Rotate, replay
from isoref.files import FileError, load_edits, save_edits
from isoref.files import edits as edit_files
from isoref.files.edits import EDITS, described, edits_from
from isoref.files.records import encoded as record
from isoref.network import leaves
from isoref.structure import Staircase
from tests.test_files import same
from tests.test_records import fuzzed

WIDTHS = (3, 9, 7, 2)


def turns(n: int, dtype: str, seed: int) -> list[Any]:
    """Orthogonal matrices in C order, in Fortran order, and the transpose of one."""
    r = haar(n, seed=seed).astype(dtype)
    return [np.ascontiguousarray(r), np.asfortranarray(r), np.ascontiguousarray(r).T]


def every_edit(dtype: str, seed: int) -> list[Edit]:
    """Edits of every kind, in every form, that a network of `WIDTHS` undergoes one by one."""
    rng = np.random.default_rng(seed)

    def values(*shape: int) -> Any:
        return rng.standard_normal(shape).astype(dtype)

    stairs = {"kind": "staircase", "starts": [0, 1, 2, 3, 7, 7, 7], "stops": [9] * 5 + [7] * 2}
    none = np.zeros(0, dtype)
    return [
        *(Rotate(1, r) for r in turns(9, dtype, seed)),
        *(Rotate(2, r) for r in turns(7, dtype, seed)),
        Impose(1, stairs, psi=(1, 6), bias=(0,)),
        Impose(0, {"kind": "diagonal"}, bias=(2, 3)),
        Impose(2, None, psi=(0,)),
        Impose(2),
        Grow(1, values(7, 2)),
        Grow(2, np.asfortranarray(values(2, 3))),
        Grow(1, values(10, 0)),
        Drop(1, (0, 10), None),
        Drop(2, (3, 1), values(2)),
        Drop(2, (), None),
        Materialise(1),
        Inputs((1,), values(1), values(10, 0)),
        Inputs((), none, values(10, 2)),
        Outputs((), values(1, 8), values(1), values(1)),
        Outputs((0,), values(0, 8), none, none),
    ]


def net_of(dtype: str, seed: int) -> Network:
    """A network with q > 0, b and ψ in every space."""
    net = Network.random(WIDTHS, q=0.5, dtype=dtype, seed=seed)
    rng = np.random.default_rng(seed)
    noise = [rng.standard_normal(len(layer.bias)).astype(dtype) for layer in net.layers]
    return Network(
        [
            replace(layer, bias=v, psi=None if layer.psi is None else 2 * v)
            for layer, v in zip(net.layers, noise, strict=True)
        ],
        net.profile,
    )


def test_every_edit_is_known_and_its_fields_too() -> None:
    found = {kind for kind in vars(isoref.edits).values() if isinstance(kind, type)}
    edits = {kind for kind in found if issubclass(kind, Edit) and is_dataclass(kind)}
    assert set(EDITS.values()) >= edits
    assert {type(edit) for edit in every_edit("float64", 0)} == edits
    for kind in EDITS.values():
        for _, type_, _ in edit_files._fields(kind):
            assert type_ in edit_files._TYPES, kind


@settings(deadline=None, max_examples=25)
@given(dtype=st.sampled_from(["float32", "float64"]), seed=st.integers(0, 99))
def test_a_replay_of_what_is_loaded_is_the_replay(
    tmp_path_factory: pytest.TempPathFactory, dtype: str, seed: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "edits.npz"
    net, edits = net_of(dtype, seed), every_edit(dtype, seed)
    save_edits(edits, path)
    data, loaded = path.read_bytes(), load_edits(path)
    assert isinstance(loaded, tuple)
    assert [type(edit) for edit in loaded] == [type(edit) for edit in edits]
    for edit, again in zip(edits, loaded, strict=True):
        alike(edit, again)
        before, net = net, edit.apply(net)
        assert same(again.apply(before), net), edit
    assert same(replay(net_of(dtype, seed), loaded), net)
    save_edits(iter(loaded), str(path))
    assert path.read_bytes() == data


def alike(edit: Edit, again: Edit) -> None:
    """Fail unless the fields are equal, arrays in bits and order of memory."""
    for field in fields(edit):  # type: ignore[arg-type]
        a, b = getattr(edit, field.name), getattr(again, field.name)
        if not isinstance(a, np.ndarray):
            assert a == b
            assert type(a) is type(b)
            continue
        assert (a.dtype, a.shape, a.tobytes()) == (b.dtype, b.shape, b.tobytes())
        assert a.flags.c_contiguous == b.flags.c_contiguous
        assert not b.flags.writeable


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_edits_of_an_elementwise_network_too(tmp_path: Path, dtype: str) -> None:
    net: Any = Elementwise.random(WIDTHS, function="sigmoid", dtype=dtype, seed=0)
    columns = np.asfortranarray(np.arange(14.0).reshape(7, 2), dtype)
    edits = [Add(1, columns), Remove(1, (9, 10), None), Remove(2, (3, 1), np.ones(2, dtype))]
    save_edits(edits, tmp_path / "edits.npz")
    loaded = load_edits(tmp_path / "edits.npz")
    assert [type(edit) for edit in loaded] == [Add, Remove, Remove]
    for edit, again in zip(edits, loaded, strict=True):
        alike(edit, again)
    for *_, (a, b) in leaves(replay(net, loaded), replay(net, edits)):
        assert a.tobytes() == b.tobytes()


def test_no_edits_are_a_file_too(tmp_path: Path) -> None:
    save_edits([], tmp_path / "edits.npz")
    assert load_edits(tmp_path / "edits.npz") == ()


def test_integers_of_numpy_and_lists_become_tuples(tmp_path: Path) -> None:
    kind = Staircase.upper(np.triu(np.ones((3, 3)))).kind
    kind["starts"] = tuple(np.array(kind["starts"]))
    chosen: Any = np.array([2, 0])
    save_edits([Drop(np.int64(1), chosen), Impose(0, kind)], tmp_path / "edits.npz")  # type: ignore[arg-type]
    drop, impose = load_edits(tmp_path / "edits.npz")
    assert isinstance(drop, Drop)
    assert isinstance(impose, Impose)
    assert (drop.space, drop.neurons) == (1, (2, 0))
    assert impose.kind == {"kind": "staircase", "starts": [0, 1, 2], "stops": [3, 3, 3]}


def test_arrays_of_torch_come_back_as_numpy(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    pytest.importorskip("array_api_compat")
    r = torch.eye(3, dtype=torch.float64)[[1, 2, 0]].T
    save_edits([Rotate(1, r)], tmp_path / "edits.npz")
    (edit,) = load_edits(tmp_path / "edits.npz")
    assert isinstance(edit, Rotate)
    assert np.array_equal(edit.R, r.numpy())
    assert edit.R.flags.f_contiguous


# what is not written


@dataclass(frozen=True, eq=False)
class Mine(Materialise):
    """An edit that no file knows."""


ONE = np.ones((1, 1))
UNWRITTEN: dict[str, tuple[Any, type[Exception], str]] = {
    "one edit": (Materialise(1), TypeError, "edits must be a sequence of edits, got Materialise"),
    "number": (1, TypeError, "edits must be a sequence of edits, got int"),
    "no edit": ([Network], TypeError, r"edits\[0\] must be an edit, one of Rotate, .*got type"),
    "unknown": ([Mine(1)], TypeError, r"edits\[0\] must be an edit, one of Rotate, .*got Mine"),
    "negative": (
        [Materialise(-1)],
        ValueError,
        r"edits\[0\]\.space must be an integer from 0 .*-1",
    ),
    "huge": ([Materialise(2**31)], ValueError, "must be an integer from 0 to 2147483647"),
    "float": ([Materialise(1.0)], TypeError, r"edits\[0\]\.space must be an integer, got float"),  # type: ignore[arg-type]
    "true": ([Materialise(True)], TypeError, "space must be an integer, got True"),
    "no integers": ([Drop(1, 3)], TypeError, r"neurons must be integers, got int"),  # type: ignore[arg-type]
    "text": ([Drop(1, "3")], TypeError, "neurons must be integers, got str"),  # type: ignore[arg-type]
    "item": ([Drop(1, (0, 0.5))], TypeError, r"neurons\[1\] must be an integer, got float"),  # type: ignore[arg-type]
    "mask": ([Drop(1, (True,))], TypeError, r"neurons\[0\] must be an integer, got True"),
    "minus": ([Drop(1, (0, -2))], ValueError, r"neurons\[1\] must be an integer from 0.*-2"),
    "no array": ([Rotate(1, [[1.0]])], TypeError, r"edits\[0\]\.R: an array is expected, got list"),
    "none": ([Rotate(1, None)], TypeError, r"edits\[0\]\.R: an array is expected, got NoneType"),
    "half": ([Rotate(1, ONE.astype("float16"))], TypeError, r"R must be float64 or float32"),
    "nan": ([Rotate(1, ONE * np.nan)], ValueError, r"'edit\.0\.R'\] must be finite"),
    "kind": ([Impose(0, {"kind": "mask"})], ValueError, r"\[0\]\.kind must be null or a known"),
    "kind text": ([Impose(0, "diagonal")], TypeError, "kind must be a dictionary or None, got str"),  # type: ignore[arg-type]
    "stairs": (
        [Impose(0, {"kind": "staircase", "starts": [1], "stops": [0]})],
        ValueError,
        "no start may be greater than its stop",
    ),
    "short stairs": (
        [Impose(0, {"kind": "staircase", "starts": [1], "stops": []})],
        ValueError,
        "must have 1 starts and stops",
    ),
}


@pytest.mark.parametrize("name", UNWRITTEN)
def test_what_does_not_fit_is_not_written(tmp_path: Path, name: str) -> None:
    edits, error, message = UNWRITTEN[name]
    with pytest.raises(error, match=message) as caught:
        save_edits(edits, tmp_path / "edits.npz")
    assert not isinstance(caught.value, FileError)
    assert not list(tmp_path.iterdir())


def test_symbols_are_not_written() -> None:
    pytest.importorskip("sympy")
    from proofs.symbols import symbols

    with pytest.raises(TypeError, match=r"R must be float64 or float32, got symbols"):
        described([Rotate(1, symbols("r", 2, 2))])


def test_paths(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"path must end in one of \.npz, got '\.safetensors'"):
        save_edits([], tmp_path / "edits.safetensors")
    with pytest.raises(ValueError, match=r"path must end in one of \.npz, got ''"):
        load_edits(tmp_path / "edits")
    with pytest.raises(FileNotFoundError, match="check the path"):
        load_edits(tmp_path / "edits.npz")
    save_edits([], tmp_path / "edits.npz")
    with pytest.raises(FileError, match="a file of at most 9 bytes is expected"):
        load_edits(tmp_path / "edits.npz", limit=9)
    with pytest.raises(ValueError, match="limit must be a positive number"):
        load_edits(tmp_path / "edits.npz", limit=0)
    save(Network.random((2, 2), seed=0), tmp_path / "net.npz")
    with pytest.raises(FileError, match=r'"format": "isoref-edits", got \'isoref-network\''):
        load_edits(tmp_path / "net.npz")


# what is not read


def sound() -> tuple[list[Any], dict[str, Any]]:
    kind = {"kind": "staircase", "starts": [0, 1], "stops": [2, 2]}
    edits = [Rotate(1, np.eye(2)), Drop(1, (0,)), Impose(0, kind), Grow(1, ONE.astype("float32"))]
    return described(edits)


Lie = Callable[[list[Any], dict[str, Any]], Any]


def told(k: int, **changes: Any) -> Lie:
    return lambda edits, _: edits[k].update(changes)


LIES: dict[str, tuple[Lie, str]] = {
    "no object": (lambda edits, _: edits.append(3), r"\[4\] must be an edit.*a newer isoref may"),
    "unknown": (told(0, edit="mask"), r"edits\[0\] must be an edit, one of rotate.*got 'mask'"),
    "no kind": (lambda edits, _: edits[0].pop("edit"), r"edits\[0\] must be an edit.*got None"),
    "kind list": (told(0, edit=[]), r"edits\[0\] must be an edit.*got a list"),
    "missing": (lambda e, _: e[1].pop("space"), r"edits\[1\], drop: the member 'space' is missing"),
    "extra": (told(1, psi=[]), r"edits\[1\], drop: the member 'psi' is not expected"),
    "another": (told(1, edit="rotate"), r"edits\[1\], rotate: the member 'R' is missing"),
    "negative": (told(0, space=-1), r"edits\[0\]\.space must be an integer from 0 to .*got -1"),
    "huge": (told(0, space=2**31), r"\.space must be an integer from 0 to .*got 2147483648"),
    "true": (told(0, space=True), r"edits\[0\]\.space must be an integer.*got True"),
    "float": (told(0, space=1.0), r"edits\[0\]\.space must be an integer.*got 1\.0"),
    "null": (told(0, space=None), r"edits\[0\]\.space must be an integer.*got None"),
    "neurons": (told(1, neurons=0), r"edits\[1\]\.neurons must be a list of integers, got 0"),
    "no neurons": (told(1, neurons=None), r"neurons must be a list of integers, got None"),
    "neuron": (told(1, neurons=[0, -1]), r"neurons\[1\] must be an integer from 0 to .*got -1"),
    "no array": (told(0, R=None), r'edits\[0\]\.R must be the name "edit\.0\.R" of an array'),
    "number": (told(0, R=1.0), r'edits\[0\]\.R must be the name "edit\.0\.R".* got 1\.0'),
    "quoted": (told(0, R="edit.3.columns"), r'edits\[0\]\.R must be the name "edit\.0\.R"'),
    "turned": (told(0, R={"turned": "edit.0.R"}), r"edits\[0\]\.R must be the name.* got a dict"),
    "values": (told(1, values="edit.1.values"), r"values: the array edit\.1\.values is missing"),
    "mask": (told(2, kind={"kind": "mask"}), r"edits\[2\]\.kind must be null or a known kind"),
    "kind text": (told(2, kind="diagonal"), r"edits\[2\]\.kind must be null or a known kind"),
    "stairs": (
        told(2, kind={"kind": "staircase", "starts": [-1, 0], "stops": [2, 2]}),
        r"edits\[2\]\.kind\.starts\[0\] must be an integer from 0",
    ),
    "gone": (lambda _, found: found.pop("edit.0.R"), r"\.R: the array edit\.0\.R is missing"),
    "array": (lambda _, found: found.update(x=ONE), "the array 'x' is not expected; no edit names"),
    "integers": (
        lambda _, found: found.update({"edit.0.R": np.eye(2, dtype=np.int64)}),
        r"edit\.0\.R must be float64 or float32, got int64",
    ),
}


@pytest.mark.parametrize("name", LIES)
def test_what_is_wrong_is_named(tmp_path: Path, name: str) -> None:
    lie, message = LIES[name]
    edits, found = sound()
    lie(edits, found)
    with pytest.raises(FileError, match=message):
        edits_from("edits", edits, found)
    path = tmp_path / "edits.npz"
    path.write_bytes(record("isoref-edits", 1, {"edits": edits}, found))
    with pytest.raises(FileError, match=message) as caught:
        load_edits(path)
    assert str(caught.value).startswith(f"{path}: edits")


def test_what_is_no_list_of_edits(tmp_path: Path) -> None:
    path = tmp_path / "edits.npz"
    with pytest.raises(FileError, match="where must be a list of edits, got a dict"):
        edits_from("where", {}, {})
    metas: list[dict[str, Any]] = [{}, {"edits": [], "odd": 1}]
    for meta in metas:
        path.write_bytes(record("isoref-edits", 1, meta, {}))
        with pytest.raises(FileError, match="content must have the one member edits"):
            load_edits(path)
    path.write_bytes(record("isoref-edits", 2, {"edits": []}, {}))
    with pytest.raises(FileError, match="version must be 1, got 2; the file is newer"):
        load_edits(path)
    path.write_bytes(record("isoref-edits", 1, {"edits": []}, {"x": ONE * np.inf}, finite=False))
    with pytest.raises(FileError, match="x must be finite"):
        load_edits(path)


# damage at random


def test_three_thousand_damaged_files() -> None:
    files = [edit_files.encoded(every_edit(dtype, 3)) for dtype in ("float32", "float64")]
    small: list[list[Edit]] = [
        [],
        [Materialise(1)],
        [Rotate(1, np.eye(2)), Rotate(1, np.eye(2)[::-1].copy())],
    ]
    files += [edit_files.encoded(edits) for edits in small]

    def accepted(damaged: bytes, data: bytes) -> bool:
        try:
            edits = edit_files.decoded("file.npz", damaged)
        except FileError:
            return False
        before = edit_files.decoded("file.npz", data)
        assert len(edits) == len(before)
        for edit, again in zip(before, edits, strict=True):
            assert type(edit) is type(again)
            alike(edit, again)
        return True

    counts = fuzzed(files, accepted, 3000)
    for name, (refused, kept) in counts.items():
        assert refused > 0.7 * (refused + kept), (name, counts)


@pytest.mark.parametrize("seed", range(300))
def test_no_strange_description_is_a_crash(seed: int) -> None:
    """Any value in any place: a FileError, or an edit."""
    rng = np.random.default_rng(seed)
    strange: list[Any] = [
        None,
        -1,
        0,
        2**70,
        1.5,
        "x",
        "edit.0.R",
        [],
        [[]],
        [0],
        {},
        {"kind": []},
        True,
    ]
    edits, found = sound()
    place = edits[int(rng.integers(len(edits)))]
    for _ in range(int(rng.integers(1, 3))):
        name = [*place, "odd"][int(rng.integers(len(place) + 1))]
        place[name] = strange[int(rng.integers(len(strange)))]
    try:
        read = edits_from("where", edits, found)
    except FileError as error:
        message = str(error)
    else:
        message = "where"
        assert described(read)[1].keys() == found.keys()
    assert message.startswith("where")
