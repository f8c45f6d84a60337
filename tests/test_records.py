"""Records: what is written is read bit for bit, and nothing else of any damaged file."""

from __future__ import annotations

import hashlib
import io
import json
import tracemalloc
import zipfile
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isoref.files import FileError, npz, records
from isoref.files.archive import MOST_ENTRIES
from isoref.files.description import LARGEST_WIDTH

NDArray = np.ndarray[Any, Any]
Content = tuple[dict[str, Any], dict[str, NDArray]]

DTYPES = ("float64", "float32", "int64", "uint8")
SPECIAL = [0.0, -0.0, 5e-324, -2.5e-310, 1e-45, 1.5, 3e38]


def write(meta: Mapping[str, Any], arrays: Mapping[str, Any], **options: Any) -> bytes:
    return records.encoded("test", 2, meta, arrays, **options)


def read(data: bytes, **options: Any) -> Content:
    return records.decoded("file.npz", data, "test", 2, **options)


def exact(value: Any) -> Any:
    """A value whose equality is that of types and bits."""
    if isinstance(value, dict):
        return {key: exact(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [exact(item) for item in value]
    return (type(value).__name__, value.hex() if isinstance(value, float) else value)


def same(content: Content, other: Content) -> bool:
    """Whether two contents are equal bit for bit."""
    (meta, arrays), (meta2, arrays2) = content, other
    return exact(meta) == exact(meta2) and {
        name: (a.dtype, a.shape, a.tobytes()) for name, a in arrays.items()
    } == {name: (a.dtype, a.shape, a.tobytes()) for name, a in arrays2.items()}


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
METAS = st.dictionaries(
    TEXTS,
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.integers(-(2**300), 2**300)
        | st.floats(allow_nan=False, allow_infinity=False)
        | TEXTS,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
        max_leaves=8,
    ),
    max_size=4,
)


@st.composite
def arrays(draw: st.DrawFn) -> NDArray:
    """Arrays of random bits, NaN and infinity among them, or of special values."""
    dtype = np.dtype(draw(st.sampled_from(DTYPES)))
    shape = tuple(draw(st.lists(st.integers(0, 4), max_size=4)))
    rng = np.random.default_rng(draw(st.integers(0, 999)))
    count = int(np.prod(shape, dtype=int))
    if dtype.kind == "f" and draw(st.booleans()):
        return rng.choice(SPECIAL, count).astype(dtype).reshape(shape)
    array = np.frombuffer(rng.bytes(count * dtype.itemsize), dtype).reshape(shape)
    return np.asarray(array, order=draw(st.sampled_from(["C", "F"])))


NAMES = st.text("abAB01_.-", min_size=1, max_size=6)


@settings(deadline=None)
@given(meta=METAS, found=st.dictionaries(NAMES, arrays(), max_size=4))
def test_what_is_read_is_what_was_written(meta: dict[str, Any], found: dict[str, NDArray]) -> None:
    data = write(meta, found, finite=False)
    content = read(data, finite=False)
    assert same(content, (meta, found))
    for array in content[1].values():
        assert array.base is None
        assert array.flags.c_contiguous
        assert not array.flags.writeable
    assert write(*content, finite=False) == data
    backwards = dict(reversed(meta.items())), dict(reversed(found.items()))
    assert write(*backwards, finite=False) == data


def test_what_json_gives_back_of_other_types() -> None:
    meta = {"a": (1, (2.5,)), "b": np.float32(0.1), "c": np.int64(3), "d": np.bool_(True)}
    plain = {"a": [1, [2.5]], "b": float(np.float32(0.1)), "c": 3, "d": True}
    assert exact(read(write(meta, {}))[0]) == exact(plain)


def test_strides_and_byte_order_are_of_no_account() -> None:
    x = np.arange(12.0).reshape(3, 4)
    for view in (x[::2, ::-1], x.T, x.astype(">f8"), x[1], x[0, 0, None]):
        plain = np.array(view, "<f8", order="C")
        assert write({}, {"x": view}) == write({}, {"x": plain})


def test_numpy_reads_the_arrays() -> None:
    with np.load(io.BytesIO(write({}, {"x": np.arange(3)})), allow_pickle=False) as found:
        assert found.files == ["meta", "x", "sha256"]
        assert found["x"].tolist() == [0, 1, 2]
        assert json.loads(str(found["meta"])) == {
            "format": "test",
            "version": 2,
            "content": {},
            "arrays": [["x", "int64", [3]]],
        }


# what is not written


ONE = np.ones(1)
DEEP: list[Any] = []
for _ in range(40):
    DEEP = [DEEP]

UNWRITTEN: dict[str, tuple[Any, Any, type[Exception], str]] = {
    "nan": ({"a": {"b": [1.0, np.nan]}}, {}, ValueError, r"meta\['a'\]\['b'\]\[1\] must be finite"),
    "infinity": ({"a": -np.inf}, {}, ValueError, "must be finite, got -inf"),
    "set": ({"a": {1}}, {}, TypeError, r"meta\['a'\] must be text.*got set; convert it"),
    "array": ({"a": ONE}, {}, TypeError, "got ndarray; convert it, or put it into arrays"),
    "long double": ({"a": np.longdouble(1)}, {}, TypeError, "got longdouble"),
    "bytes": ({"a": b""}, {}, TypeError, "got bytes"),
    "integer key": ({"a": {1: 2}}, {}, TypeError, "dictionary of names"),
    "deep": ({"a": DEEP}, {}, ValueError, "nested at most 32 deep"),
    "half a character": ({"a": "\ud800"}, {}, ValueError, "must be Unicode text"),
    "half a key": ({"\ud800": 1}, {}, ValueError, "must be Unicode text"),
    "long": ({"a": "x" * 2**22}, {}, ValueError, "must have at most 4194304 characters"),
    "digits": ({"a": 10**5000}, {}, ValueError, "4300 digits"),
    "name": ({}, {"a/b": ONE}, ValueError, "names of 1 to 200 letters.*got 'a/b'"),
    "no name": ({}, {"": ONE}, ValueError, "names of 1 to 200 letters"),
    "long name": ({}, {"a" * 201: ONE}, ValueError, "names of 1 to 200 letters"),
    "number": ({}, {1: ONE}, ValueError, "names of 1 to 200 letters"),
    "meta": ({}, {"meta": ONE}, ValueError, "other than meta and sha256, got 'meta'"),
    "sha256": ({}, {"sha256": ONE}, ValueError, "other than meta and sha256"),
    "list": ({}, {"a": [1.0]}, TypeError, r"arrays\['a'\] must be a NumPy array.*got list"),
    "masked": ({}, {"a": np.ma.ones(2)}, TypeError, "got MaskedArray"),
    "objects": ({}, {"a": np.array([None])}, TypeError, "or uint8, got object; convert"),
    "half": ({}, {"a": ONE.astype("float16")}, TypeError, "got float16"),
    "int32": ({}, {"a": ONE.astype("int32")}, TypeError, "got int32"),
    "axes": ({}, {"a": np.ones((1,) * 5)}, ValueError, "at most 4 axes.*got shape"),
    "wide": ({}, {"a": np.ones((0, LARGEST_WIDTH + 1))}, ValueError, "of at most 2147483647"),
    "not finite": ({}, {"a": ONE * np.nan}, ValueError, r"arrays\['a'\] must be finite"),
    "infinite": ({}, {"a": ONE.astype("float32") * np.inf}, ValueError, "must be finite"),
    "many": ({}, dict.fromkeys(map(str, range(MOST_ENTRIES)), ONE), ValueError, "at most 19998"),
}


@pytest.mark.parametrize("name", UNWRITTEN)
def test_what_does_not_fit_is_not_written(name: str) -> None:
    meta, found, error, message = UNWRITTEN[name]
    with pytest.raises(error, match=message):
        write(meta, found)


def test_a_record_of_most_arrays_is_read() -> None:
    found = dict.fromkeys(map(str, range(MOST_ENTRIES - 2)), np.zeros(0))
    assert len(read(write({}, found))[1]) == len(found)


# what is not read


SOUND: Content = (
    {"rate": 0.1, "seed": 2**100},
    {"a": np.arange(6.0).reshape(2, 3), "b": np.arange(4), "c": np.ones((2, 3), "float32")},
)


def forged(meta: Any, found: Mapping[str, Any], digest: Any = None) -> bytes:
    """A file with right checksums, whatever it says."""
    text = meta if isinstance(meta, str) else json.dumps(meta, separators=(",", ":"))
    if digest is None:
        sha = hashlib.sha256(text.encode())
        for array in found.values():
            sha.update(array.tobytes(order="A"))
        digest = np.frombuffer(sha.digest(), np.uint8)
    if any(not array.flags.c_contiguous for array in found.values()):
        buffer = io.BytesIO()
        np.savez(buffer, meta=np.array(text), sha256=digest, **found)
        return buffer.getvalue()
    return npz.archived(text, {**found, "sha256": digest})


def parts() -> tuple[dict[str, Any], dict[str, Any]]:
    listed = [[name, array.dtype.name, list(array.shape)] for name, array in SOUND[1].items()]
    meta = {"format": "test", "version": 2, "content": dict(SOUND[0]), "arrays": listed}
    return meta, dict(SOUND[1])


def test_a_forged_record_without_an_edit_is_accepted() -> None:
    assert forged(*parts()) == write(*SOUND)
    assert same(read(forged(*parts())), SOUND)


Lie = Callable[[dict[str, Any], dict[str, Any]], Any]


def told(**changes: Any) -> Lie:
    return lambda meta, _: meta.update(changes)


def row(k: int, *values: Any) -> Lie:
    return lambda meta, _: meta["arrays"].__setitem__(k, list(values))


def entry(name: str, value: Any) -> Lie:
    return lambda _, found: found.pop(name) if value is None else found.update({name: value})


def exchanged(_: Any, found: dict[str, Any]) -> None:
    found["a"], found["c"] = found["c"], found["a"]


LIES: dict[str, tuple[Lie, str]] = {
    "format": (told(format="isoref-network"), '"format": "test", got \'isoref-network\'; it is'),
    "no format": (lambda meta, _: meta.pop("format"), '"format": "test", got None'),
    "newer": (told(version=3), "version must be 2, got 3; the file is newer than this isoref"),
    "older": (told(version=1), "version must be 2, got 1; write it again"),
    "float version": (told(version=2.0), r"version must be 2, got 2\.0"),
    "true": (told(version=True), "version must be 2, got True"),
    "member": (told(odd=1), "the member 'odd' is not expected"),
    "no member": (lambda meta, _: meta.pop("content"), "the member 'content' is missing"),
    "content": (told(content=[1]), "content must be an object, got a list"),
    "arrays": (told(arrays={}), "arrays must be a list, got a dict"),
    "row": (row(0, "a", "float64"), r"arrays\[0\] must be a new name, a dtype and a shape"),
    "row name": (row(0, 1, "float64", [2, 3]), r"arrays\[0\] must be a new name"),
    "repeated": (row(1, "a", "float64", [2, 3]), r"arrays\[1\] must be a new name"),
    "path": (row(1, "../a", "float64", [2, 3]), r"arrays\[1\] must be a new name"),
    "own": (row(1, "meta", "float64", [2, 3]), r"arrays\[1\] must be a new name"),
    "dtype": (row(1, "b", "object", [4]), r"arrays\[1\]: b must be float64 or .*got 'object'"),
    "dtype list": (row(1, "b", [], [4]), "b must be float64 or float32 or int64 or uint8, got a"),
    "negative": (row(1, "b", "int64", [-4]), r"shape of b\[0\] must be an integer from 0"),
    "huge": (row(1, "b", "int64", [10**12]), r"shape of b\[0\] must be an integer from 0"),
    "axes": (row(1, "b", "int64", [4, 1, 1, 1, 1]), "at most 4 axes"),
    "overflow": (row(1, "b", "int64", [0, *[2**31 - 1] * 3]), "at most 4 axes"),
    "lying shape": (row(1, "b", "int64", [2, 2]), r"b must be int64 of shape \(2, 2\).*\(4,\)"),
    "lying size": (row(1, "b", "int64", [2**31 - 1]), r"b must be .*got int64 of shape \(4,\)"),
    "lying dtype": (row(1, "b", "float64", [4]), r"b must be float64 of shape \(4,\).* got int64"),
    "missing": (entry("b", None), "the entry b is missing"),
    "extra": (entry("d", ONE), "the entry 'd' is not expected"),
    "odd name": (entry("é", ONE), "the entry 'é' is not expected"),
    "wrong shape": (entry("b", np.arange(5)), r"b must be int64 of shape \(4,\)"),
    "wrong dtype": (entry("b", np.arange(4.0)), r"b must be int64 .*got float64"),
    "half": (entry("b", np.arange(4, dtype="int16")), "little endian, got dtype '<i2'; Python"),
    "big endian": (entry("b", np.arange(4, dtype=">i8")), "little endian, got dtype '>i8'"),
    "order": (entry("a", np.ones((2, 3)).T.copy().T), "in C order as meta announces.*in F order"),
    "exchanged": (exchanged, r"a must be float64 .*got float32"),
    "not finite": (entry("a", np.full((2, 3), np.inf)), "a must be finite, got NaN or infinity"),
}


@pytest.mark.parametrize("name", LIES)
def test_what_is_wrong_is_named(name: str) -> None:
    lie, message = LIES[name]
    meta, found = parts()
    lie(meta, found)
    with pytest.raises(FileError, match=message) as caught:
        read(forged(meta, found))
    assert str(caught.value).startswith("file.npz: ")
    assert len(str(caught.value)) < 400


CHECKSUM = "sha256 must be the checksum of meta and the arrays.*take an older one"


def test_a_wrong_checksum_is_seen() -> None:
    meta, found = parts()
    with pytest.raises(FileError, match=CHECKSUM):
        read(forged(meta, found, np.zeros(32, np.uint8)))
    with pytest.raises(FileError, match=r"sha256 must be uint8 of shape \(32,\)"):
        read(forged(meta, found, np.zeros(31, np.uint8)))
    with pytest.raises(FileError, match="the entry sha256 is missing"):
        read(npz.archived(json.dumps(meta, separators=(",", ":")), found))


def test_entries_that_change_names_are_seen() -> None:
    """Every entry passes its own checksum."""
    data = write({}, {"xx": np.zeros(3), "yy": np.ones(3)})
    swapped = data.replace(b"xx.npy", b"zz.npy").replace(b"yy.npy", b"xx.npy")
    with pytest.raises(FileError, match=CHECKSUM):
        read(swapped.replace(b"zz.npy", b"yy.npy"))
    with pytest.raises(FileError, match="the entry xx is missing"):
        read(data.replace(b"xx.npy", b"zz.npy"))


def test_damaged_bytes_truncation_and_what_follows() -> None:
    data = bytearray(write(*SOUND))
    with pytest.raises(FileError, match="truncated, or something follows it"):
        read(bytes(data + b"\n"))
    with pytest.raises(FileError, match="truncated, or something follows it"):
        read(bytes(data[:-1]))
    with pytest.raises(FileError, match="meta is missing"):
        read(npz.archived("{}", {}).replace(b"meta.npy", b"mete.npy"))
    data[data.index(SOUND[1]["a"].tobytes())] ^= 1
    with pytest.raises(FileError, match=r"a\.npy' must have the checksum .* it is damaged"):
        read(bytes(data))
    with pytest.raises(FileError, match="another kind of file"):
        read(b"")


TEXT = json.dumps(parts()[0], separators=(",", ":"))
EDITED = "must be JSON as isoref writes it; it was edited or is damaged"
TEXTS_REFUSED = {
    "spaces": (TEXT.replace(":", ": "), EDITED),
    "twice": (TEXT.replace('"version":2', '"version":1,"version":2'), EDITED),
    "spelling": (TEXT.replace('"rate":0.1', '"rate":1e-1'), EDITED),
    "infinite": (TEXT.replace('"rate":0.1', '"rate":1e999'), "must be strict JSON"),
    "nan": (TEXT.replace('"rate":0.1', '"rate":NaN'), "must be strict JSON"),
    "digits": (TEXT.replace('"rate":0.1', '"rate":' + "1" * 5000), "must be strict JSON"),
    "deep": ("[" * 100_000, "nested too deeply"),
    "deep and closed": ("[" * 5_000 + "]" * 5_000, 'nested too deeply|"format": "test"'),
    "cut": (TEXT[:-1], "must be strict JSON"),
    "list": ("[]", '"format": "test", got None'),
    "long": (" " * 2**22 + TEXT, "must have at most 4194304 characters"),
}


@pytest.mark.parametrize("name", TEXTS_REFUSED)
def test_what_is_no_json_of_isoref(name: str) -> None:
    text, message = TEXTS_REFUSED[name]
    with pytest.raises(FileError, match=message):
        read(forged(text, parts()[1]))


# damage at random


Rng = np.random.Generator


def bits(data: bytes, rng: Rng) -> bytes:
    changed = bytearray(data)
    for _ in range(int(rng.integers(1, 5))):
        changed[rng.integers(len(data))] ^= 1 << int(rng.integers(8))
    return bytes(changed)


def cut(data: bytes, rng: Rng) -> bytes:
    start = int(rng.integers(len(data)))
    return data[:start] + (data[start + int(rng.integers(1, 99)) :] if rng.random() < 0.5 else b"")


def overwritten(data: bytes, rng: Rng) -> bytes:
    start, length = int(rng.integers(len(data))), int(rng.integers(1, 65))
    block = rng.bytes(length) if rng.random() < 0.5 else data[:length]
    return (data[:start] + block + data[start + length :])[: len(data)]


def renamed(data: bytes, rng: Rng) -> bytes:
    """Names change places, or one becomes another, where all tables agree."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        entries = {info.filename: archive.read(info) for info in archive.infolist()}
    names = list(entries)
    a, b = rng.choice(len(names), 2, replace=False)
    if rng.random() < 0.7:
        names[a], names[b] = names[b], names[a]
    else:
        names[a] = ["x.npy", "../up.npy", "META.npy", names[b] + ".npy"][int(rng.integers(4))]
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in zip(names, entries.values(), strict=True):
            archive.writestr(zipfile.ZipInfo(name), content)
    return buffer.getvalue()


def relabelled(data: bytes, rng: Rng) -> bytes:
    """A number or letter of a header or of `meta` changes under right checksums of entries."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        entries = {info.filename: bytearray(archive.read(info)) for info in archive.infolist()}
    content = entries[list(entries)[int(rng.integers(len(entries)))]]
    place = int(rng.integers(10, min(len(content), 400)))
    content[place] = int(rng.choice(list(b"0123456789,()'{}[]<>|fiuTrueFals \"\0")))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, changed in entries.items():
            archive.writestr(zipfile.ZipInfo(name), bytes(changed))
    return buffer.getvalue()


DAMAGES = (bits, cut, overwritten, renamed, relabelled)


def fuzzed(
    sound: list[bytes], accepts: Callable[[bytes, bytes], bool], count: int
) -> dict[str, list[int]]:
    """Count what is refused and accepted of damaged files; `accepts` tells or raises."""
    rng = np.random.default_rng(7)
    counts = {damage.__name__: [0, 0] for damage in DAMAGES}
    for k in range(count):
        damage, data = DAMAGES[k % len(DAMAGES)], sound[k % len(sound)]
        counts[damage.__name__][accepts(damage(data, rng), data)] += 1
    return counts


def accepted(damaged: bytes, data: bytes) -> bool:
    """Whether the damaged bytes are read; then they say the same."""
    try:
        content = read(damaged, finite=False)
    except FileError:
        return False
    assert same(content, read(data, finite=False))
    return True


def test_six_thousand_damaged_records() -> None:
    sound = [
        write(*SOUND),
        write({"x": [1, -0.0, None, "é"]}, {}),
        write({}, {"p": np.zeros(5), "q": np.full(5, np.nan), "r": np.zeros((0, 3))}, finite=False),
        write({"n": list(range(40))}, {c: np.arange(9, dtype="uint8") for c in "abcd"}),
    ]
    counts = fuzzed(sound, accepted, 6000)
    for name, (refused, kept) in counts.items():
        assert refused > 0.7 * (refused + kept), (name, counts)


def test_no_single_bit_changes_the_content() -> None:
    data = write({"a": 1}, {"x": np.ones(2)})
    for place in range(len(data)):
        changed = bytearray(data)
        changed[place] ^= 1 << place % 8
        accepted(bytes(changed), data)


def test_reading_allocates_a_multiple_of_the_file() -> None:
    sound = write({}, {"x": np.zeros(2**20), "y": np.zeros(2**20, np.uint8)})
    lists = '{"content":[' + "[]," * 2**19 + "[]]}"
    meta, found = parts()
    meta["arrays"][1] = ["b", "int64", [2**31 - 1]]
    tracemalloc.start()
    try:
        for data, most in ((sound, 1.5), (forged(lists, {}), 16), (forged(meta, found), 16)):
            tracemalloc.reset_peak()
            before = tracemalloc.get_traced_memory()[0]
            try:
                read(data)
            except FileError:
                assert data is not sound
            peak = tracemalloc.get_traced_memory()[1] - before
            assert peak < most * len(data) + 2**16, (peak, len(data))
    finally:
        tracemalloc.stop()
