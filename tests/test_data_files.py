"""Data files: what is in them is read, anything else is refused, and nothing grows."""

from __future__ import annotations

import errno
import gzip
import os
import pickle
import struct
import sys
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from isoref.data import NAMES, Split, load_digits, read, split, standardise
from isoref.data.idx import LIMIT, read_images, read_labels
from isoref.files import FileError

NDArray = np.ndarray[Any, Any]

PREFIXES = {
    "mnist": ("train", "t10k"),
    "fashion-mnist": ("train", "t10k"),
    "emnist-letters": ("emnist-letters-train", "emnist-letters-test"),
}
BATCHES = [*(f"data_batch_{k}.bin" for k in range(1, 6)), "test_batch.bin"]


def idx(array: NDArray, *, kind: int = 8, sizes: tuple[int, ...] | None = None) -> bytes:
    """Return an IDX file; `kind` and `sizes` may lie."""
    sizes = array.shape if sizes is None else sizes
    head = bytes([0, 0, kind, len(sizes)]) + struct.pack(f">{len(sizes)}I", *sizes)
    return head + array.astype(np.uint8).tobytes()


def images(count: int, seed: int = 0) -> NDArray:
    return np.random.default_rng(seed).integers(0, 256, (count, 28, 28), np.uint8)


def written(root: Path, name: str, seed: int = 0, **names: str) -> Split:
    """Write a small data set in its format; return it as the files have it, labels from 0."""
    rng = np.random.default_rng(seed)
    parts = []
    root.mkdir(parents=True, exist_ok=True)
    for k, count in enumerate((12, 5)):
        if name in PREFIXES:
            first, classes = (1, 26) if name == "emnist-letters" else (0, 10)
            x, labels = images(count, seed + k), rng.integers(0, classes, count)
            prefix = PREFIXES[name][k]
            (root / f"{prefix}-images-idx3-ubyte").write_bytes(idx(x))
            (root / f"{prefix}-labels-idx1-ubyte").write_bytes(idx(labels + first))
        else:
            x = rng.integers(0, 256, (count, 3072), np.uint8)
            coarse, labels = rng.integers(0, 20, count), rng.integers(0, 100, count)
            if name == "cifar10":
                labels = labels % 10
                records = np.column_stack([labels, x]).astype(np.uint8)
                files = [BATCHES[-1]] if k else BATCHES[:-1]
            else:
                records = np.column_stack([coarse, labels, x]).astype(np.uint8)
                files = ["test.bin" if k else "train.bin"]
            for file, some in zip(files, np.array_split(records, len(files)), strict=True):
                (root / file).write_bytes(some.tobytes())
        parts += [x.reshape(count, -1), labels]
    return Split(*parts)


def equal(one: Split, other: Split) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


# what is in the files


@pytest.mark.parametrize("name", ["mnist", "fashion-mnist", "cifar10", "cifar100"])
def test_what_is_in_the_files_is_read(tmp_path: Path, name: str) -> None:
    expected = written(tmp_path, name)
    found = read(name, tmp_path)
    assert equal(found, expected)
    assert [a.dtype.name for a in found] == ["uint8", "int64"] * 2
    assert all(a.flags.writeable and a.flags.c_contiguous for a in found)
    assert equal(read(name, str(tmp_path), seed=5), expected)


def test_letters_stand_upright_and_their_labels_begin_at_0(tmp_path: Path) -> None:
    expected = written(tmp_path, "emnist-letters")
    found = read("emnist-letters", tmp_path)
    upright = [x.reshape(-1, 28, 28).transpose(0, 2, 1) for x in (expected.x, expected.held_x)]
    assert np.array_equal(found.x.reshape(-1, 28, 28), upright[0])
    assert np.array_equal(found.held_x.reshape(-1, 28, 28), upright[1])
    assert np.array_equal(found.labels, expected.labels)
    assert np.array_equal(found.held_labels, expected.held_labels)
    assert found.x.flags.c_contiguous
    letters = np.arange(1, 27)
    (tmp_path / "emnist-letters-train-images-idx3-ubyte").write_bytes(idx(images(26)))
    (tmp_path / "emnist-letters-train-labels-idx1-ubyte").write_bytes(idx(letters))
    assert read("emnist-letters", tmp_path).labels.tolist() == list(range(26))


def test_rows_and_columns_keep_their_places(tmp_path: Path) -> None:
    (tmp_path / "images").write_bytes(idx(np.arange(24).reshape(2, 3, 4)))
    assert np.array_equal(read_images(tmp_path / "images"), np.arange(24).reshape(2, 3, 4))
    (tmp_path / "labels").write_bytes(idx(np.arange(7)))
    assert np.array_equal(read_labels(tmp_path / "labels"), np.arange(7))


@pytest.mark.parametrize(
    "rename",
    [
        lambda name: f"{name}.gz",
        lambda name: name,
        lambda name: name.replace("-idx", ".idx"),
        lambda name: name.replace("-idx", ".idx") + ".gz",
    ],
)
@pytest.mark.parametrize("compressed", [True, False])
@pytest.mark.parametrize("name", PREFIXES)
def test_compression_is_seen_in_the_file_whatever_its_name(
    tmp_path: Path, name: str, rename: Callable[[str], str], compressed: bool
) -> None:
    written(tmp_path / "plain", name)
    (tmp_path / "other").mkdir()
    for path in (tmp_path / "plain").iterdir():
        data = path.read_bytes()
        data = gzip.compress(data) if compressed else data
        (tmp_path / "other" / rename(path.name)).write_bytes(data)
    assert equal(read(name, tmp_path / "other"), read(name, tmp_path / "plain"))


@pytest.mark.parametrize("level", [0, 1, 9])
def test_a_large_compressed_file_is_read_whole(tmp_path: Path, level: int) -> None:
    wanted = np.concatenate([images(300), np.zeros((3000, 28, 28), np.uint8), images(9, 1)])
    (tmp_path / "images.gz").write_bytes(gzip.compress(idx(wanted), level))
    assert np.array_equal(read_images(tmp_path / "images.gz"), wanted)


FOLDERS = [
    ("mnist", "mnist"),
    ("mnist", "MNIST/raw"),
    ("fashion-mnist", "fashion-mnist"),
    ("fashion-mnist", "FashionMNIST/raw"),
    ("emnist-letters", "emnist"),
    ("emnist-letters", "EMNIST/raw"),
    ("emnist-letters", "gzip"),
    ("cifar10", "cifar-10-batches-bin"),
    ("cifar100", "cifar-100-binary"),
]


@pytest.mark.parametrize(("name", "folder"), FOLDERS)
def test_a_folder_of_a_usual_name_comes_before_the_root(
    tmp_path: Path, name: str, folder: str
) -> None:
    written(tmp_path, name, seed=1)
    expected = written(tmp_path / folder, name, seed=2)
    assert np.array_equal(read(name, tmp_path).labels, expected.labels)


def test_a_folder_that_lacks_a_file_is_passed_over(tmp_path: Path) -> None:
    expected = written(tmp_path, "mnist", seed=1)
    written(tmp_path / "mnist", "mnist", seed=2)
    (tmp_path / "mnist" / "t10k-labels-idx1-ubyte").unlink()
    assert equal(read("mnist", tmp_path), expected)


def test_the_digits_are_split_as_ever() -> None:
    assert equal(read("digits", seed=3), split(*load_digits(), seed=3))
    assert equal(read("digits", "no/such/folder"), split(*load_digits(), seed=0))


def off(want: Any, x: Any, scale: Any, dtype: str) -> Any:
    """Bound the rounding: once to `dtype`, and sums of n terms for mean and deviation, twice."""
    unit = {"float64": 2.0**-53, "float32": 2.0**-24}[dtype]
    sums = 4 * (len(x) + 4) * 2.0**-53 * (np.abs(want) + np.max(np.abs(x)) / scale)
    return unit * np.abs(want) + sums


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_data_set_can_be_standardised(tmp_path: Path, name: str, dtype: str) -> None:
    if name != "digits":
        written(tmp_path, name)
    parts = read(name, tmp_path)
    done = standardise(parts, dtype)
    assert done.x.dtype == done.held_x.dtype == dtype
    x = parts.x.astype(float)
    mean, deviation = x.mean(axis=0), x.std(axis=0)
    scale = np.where(deviation > 0, deviation, np.inf)
    for got, given in ((done.x, x), (done.held_x, parts.held_x)):
        want = (given - mean) / scale
        assert (np.abs(got - want) <= off(want, x, scale, dtype)).all()


# standardisation of large sets


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_standardised_digits_have_the_same_bits_as_in_one_step(dtype: str) -> None:
    parts = split(*load_digits(), seed=6)
    mean, deviation = parts.x.mean(axis=0), parts.x.std(axis=0)
    scale = np.divide(1.0, deviation, out=np.zeros_like(deviation), where=deviation > 0)
    done = standardise(parts, dtype)
    assert done.x.tobytes() == ((parts.x - mean) * scale).astype(dtype).tobytes()
    assert done.held_x.tobytes() == ((parts.held_x - mean) * scale).astype(dtype).tobytes()


def test_standardising_makes_no_float64_copy_of_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules["isoref.data.split"], "_BLOCK", 2**16)
    rng = np.random.default_rng(0)
    x, labels = rng.integers(0, 256, (5000, 784), np.uint8), np.zeros(5000, int)
    x[:, 3] = 7
    parts = split(x, labels, seed=0)
    tracemalloc.start()
    try:
        done = standardise(parts, "float32")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < done.x.nbytes + done.held_x.nbytes + 2**22
    assert not done.x[:, 3].any()
    whole = parts.x.astype(float)
    scale = np.where(np.ptp(whole, axis=0) > 0, whole.std(axis=0), 1)
    want = (whole - whole.mean(axis=0)) / scale
    assert (np.abs(done.x - want) <= off(want, whole, scale, "float32")).all()


def test_a_constant_whose_mean_rounds_vanishes() -> None:
    parts = Split(np.full((10, 2), 0.1), np.zeros(10, int), np.full((2, 2), 0.3), np.zeros(2, int))
    assert parts.x.std() > 0
    assert not standardise(parts).x.any()
    assert not standardise(parts).held_x.any()


def test_float32_pixels_are_standardised_in_float64() -> None:
    x = np.random.default_rng(0).standard_normal((50, 9)).astype("float32") + 100
    parts = split(x, np.arange(50), seed=0)
    same = standardise(Split(*(a.astype(float) for a in parts)), "float32")
    assert np.array_equal(standardise(parts, "float32").x, same.x)


@pytest.mark.parametrize("shape", [(10,), (10, 2, 3), (10, 0)])
def test_standardising_keeps_any_shape(shape: tuple[int, ...]) -> None:
    x = np.random.default_rng(0).standard_normal(shape)
    done = standardise(split(x, np.arange(10), seed=0))
    assert done.x.shape == (8, *shape[1:])
    assert done.held_x.shape == (2, *shape[1:])


# what is missing


@pytest.mark.parametrize("name", NAMES[1:])
def test_a_missing_file_is_named_with_folders_format_and_source(tmp_path: Path, name: str) -> None:
    written(tmp_path, name)
    gone = sorted(tmp_path.iterdir())[-1]
    gone.unlink()
    with pytest.raises(FileNotFoundError) as caught:
        read(name, tmp_path)
    message = str(caught.value)
    assert f"{name} needs {gone.name} (" in message
    assert all(str(tmp_path / folder) in message for known, folder in FOLDERS if known == name)
    assert f", {tmp_path};" in message
    home = {"m": "yann.lecun.com", "f": "zalandoresearch", "e": "nist.gov", "c": "toronto.edu"}
    assert home[name[0]] in message
    assert ("the binary version" if name[0] == "c" else "IDX, plain or .gz") in message
    with pytest.raises(FileNotFoundError, match="nothing is downloaded"):
        read(name, tmp_path / "none")
    with pytest.raises(FileNotFoundError, match="nothing is downloaded"):
        read(name, sorted(tmp_path.iterdir())[0])


@pytest.mark.parametrize("name", ["MNIST", "", "imagenet", None, ["mnist"], "x" * 1000])
def test_an_unknown_name_is_refused_with_the_known_ones(name: Any) -> None:
    with pytest.raises(ValueError, match="one of digits, mnist, fashion-mnist, emnist-l") as caught:
        read(name)
    assert len(str(caught.value)) < 200


def test_wrong_arguments_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="path must be a string or a path, got int"):
        read("mnist", 3)  # type: ignore[arg-type]
    for limit in (0, -1, 1.5, True):
        with pytest.raises(ValueError, match="limit must be a positive number"):
            read("mnist", tmp_path, limit=limit)  # type: ignore[arg-type]
    with pytest.raises(FileError, match="path of a file is expected"):
        read("mnist", "a\0b")


@pytest.mark.parametrize("name", NAMES[1:])
def test_what_is_no_readable_file_is_refused(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(tmp_path, name)
    for path in sorted(tmp_path.iterdir()):
        data = path.read_bytes()

        def failing(
            opened: str, *rest: Any, here: Path = path, real: Any = os.open, **named: Any
        ) -> int:
            if opened == str(here):
                raise PermissionError(errno.EACCES, "Permission denied", opened)
            return int(real(opened, *rest, **named))

        with monkeypatch.context() as patch:
            patch.setattr(os, "open", failing)
            with pytest.raises(PermissionError, match=f"change the permissions.*{path.name}"):
                read(name, tmp_path)
        path.unlink()
        path.mkdir()
        with pytest.raises(IsADirectoryError, match=f"cannot read the file.*{path.name}"):
            read(name, tmp_path)
        path.rmdir()
        os.mkfifo(path)
        with pytest.raises(FileError, match=f"{path.name}: a regular file is expected"):
            read(name, tmp_path)
        path.unlink()
        path.write_bytes(data)
    read(name, tmp_path)


def test_a_folder_named_like_a_file_does_not_hide_the_file(tmp_path: Path) -> None:
    expected = written(tmp_path, "mnist")
    plain = tmp_path / "train-images-idx3-ubyte"
    (tmp_path / "train-images.idx3-ubyte").write_bytes(plain.read_bytes())
    plain.unlink()
    plain.mkdir()
    assert equal(read("mnist", tmp_path), expected)


def test_the_two_data_sets_whose_files_have_the_same_names_are_told_apart(tmp_path: Path) -> None:
    beginnings = {
        "mnist": [5, 0, 4, 1, 9, 2, 1, 3, 1, 4, 3, 5],
        "fashion-mnist": [9, 0, 0, 3, 0, 2, 7, 2, 5, 5, 0, 9],
    }
    written(tmp_path, "mnist")
    for name, labels in beginnings.items():
        (tmp_path / "train-labels-idx1-ubyte").write_bytes(idx(np.array(labels)))
        assert read(name, tmp_path).labels.tolist() == labels
        (other,) = set(beginnings) - {name}
        with pytest.raises(FileError, match=f"labels of {other} are expected.*as those of {name}"):
            read(other, tmp_path)


# what is wrong in IDX files: the images, and then the whole set

THREE = idx(images(3))
WRONG: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "an IDX file is expected.*got none"),
    "text": (b"<html>not found</html>", "00 00 08 03, got 3c 68 74 6d; it is another kind"),
    "little-endian": (b"\x03\x08\0\0" + THREE[4:], "an IDX file is expected"),
    "second byte": (b"\0\1" + THREE[2:], "an IDX file is expected"),
    "png": (b"\x89PNG\r\n\x1a\n" + THREE, "an IDX file is expected"),
    "pickle": (pickle.dumps(images(3)), "an IDX file is expected, .*got 80 04"),
    "signed": (idx(images(3), kind=9), r"\(type 0x08\) are expected, got signed bytes \(type 0x09"),
    "integers": (idx(images(3), kind=0x0C), r"got 32-bit integers \(type 0x0c\)"),
    "floats": (idx(images(3), kind=0x0D), r"got 32-bit floats \(type 0x0d\)"),
    "doubles": (idx(images(3), kind=0x0E), r"got 64-bit floats \(type 0x0e\)"),
    "type": (idx(images(3), kind=0xFF), r"got an unknown type \(type 0xff\)"),
    "labels": (idx(np.arange(10)), "images are expected, axes: 3, got axes: 1, labels; check"),
    "no axes": (b"\0\0\x08\0", "images are expected, axes: 3, got axes: 0; check"),
    "many axes": (b"\0\0\x08\xff" + bytes(2000), "images are expected, axes: 3, got axes: 255"),
    "no sizes": (THREE[:4], "3 positive sizes of 4 bytes are expected in the header, got none"),
    "no columns": (THREE[:12], "3 positive sizes .* got 00000003 0000001c; get"),
    "no images": (idx(images(0)), "3 positive sizes .* got 00000000 0000001c 0000001c"),
    "zero columns": (idx(images(3), sizes=(3, 28, 0)), "3 positive sizes"),
    "one byte less": (THREE[:-1], "3 x 28 x 28 = 2352 bytes are expected .*got 2351: it is trunc"),
    "one byte more": (THREE + b"\n", "2352 bytes are expected after the header, got more; get"),
    "twice": (THREE + THREE, "got more"),
    "fewer told": (idx(images(3), sizes=(2, 28, 28)), "got more"),
    "more told": (idx(images(3), sizes=(4, 28, 28)), "got 2352: it is truncated"),
    "far more told": (
        idx(images(3), sizes=(2**32 - 1,) * 3),
        f"at most {LIMIT} bytes are expected, its header says 4294967295 x 4294967295 x 4294967295",
    ),
    "just too many": (idx(images(3), sizes=(LIMIT + 1, 1, 1)), "pass a larger limit"),
    "most told": (idx(images(3), sizes=(LIMIT, 1, 1)), "got 2352: it is truncated"),
}
SOUND = gzip.compress(THREE, mtime=0)
DAMAGED: dict[str, tuple[bytes, str]] = {
    "checksum": (
        SOUND[:-8] + b"\0\0\0\0" + SOUND[-4:],
        "a sound gzip file is expected.*data check",
    ),
    "length": (SOUND[:-4] + b"\0\0\0\0", "a sound gzip file is expected.*length check"),
    "no trailer": (SOUND[:-8], "a sound gzip file is expected.*ends before its checksum"),
    "magic alone": (b"\x1f\x8b", "an IDX file is expected.*got none"),
    "method": (b"\x1f\x8b\x07" + SOUND[3:], "a sound gzip file is expected"),
    "noise": (SOUND[:10] + bytes(range(255, 0, -1)), "a sound gzip file is expected"),
    "trailing": (SOUND + b"\0", "2352 bytes are expected after the header, got more"),
    "two members": (SOUND + SOUND, "got more"),
    "twice": (gzip.compress(SOUND), "an IDX file is expected.*got 1f 8b"),
}


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_in_an_idx_file_is_named(tmp_path: Path, name: str, compressed: bool) -> None:
    data, message = WRONG[name]
    (tmp_path / "images").write_bytes(gzip.compress(data) if compressed else data)
    with pytest.raises(FileError, match=message) as caught:
        read_images(tmp_path / "images")
    assert str(caught.value).startswith(f"{tmp_path / 'images'}: ")


@pytest.mark.parametrize("name", DAMAGED)
def test_what_is_wrong_in_a_compressed_file_is_named(tmp_path: Path, name: str) -> None:
    data, message = DAMAGED[name]
    (tmp_path / "images").write_bytes(data)
    with pytest.raises(FileError, match=message):
        read_images(tmp_path / "images")


@pytest.mark.parametrize("size", [2**16, 2**17])
def test_what_follows_a_compressed_file_of_any_length_is_seen(tmp_path: Path, size: int) -> None:
    name = b"x" * (size - len(SOUND) - 1) + b"\0"  # the header has a place for one
    data = SOUND[:3] + b"\x08" + SOUND[4:10] + name + SOUND[10:]
    assert len(data) == size
    (tmp_path / "images.gz").write_bytes(data)
    assert np.array_equal(read_images(tmp_path / "images.gz"), images(3))
    (tmp_path / "images.gz").write_bytes(data + b"\0")
    with pytest.raises(FileError, match="got more"):
        read_images(tmp_path / "images.gz")


@pytest.mark.parametrize("compressed", [False, True])
def test_a_truncated_file_is_refused_wherever_it_ends(tmp_path: Path, compressed: bool) -> None:
    data = idx(np.arange(60).reshape(3, 4, 5))
    data = gzip.compress(data) if compressed else data
    path = tmp_path / "images"
    for length in range(len(data)):
        path.write_bytes(data[:length])
        with pytest.raises(FileError, match="images: "):
            read_images(path)
    path.write_bytes(data)
    assert read_images(path).shape == (3, 4, 5)


SETS: dict[str, tuple[str, bytes, str]] = {
    "label": ("labels-idx1", idx(np.array([0, 9, 10, 3])), "from 0 to 9 .* got 10 at sample 2;"),
    "last label": ("labels-idx1", idx(np.full(12, 255)), "got 255 at sample 0"),
    "fewer labels": ("labels-idx1", idx(np.zeros(11)), "11 x 28 x 28 .* got 12 x 28 x 28; take"),
    "more labels": ("labels-idx1", idx(np.zeros(13)), "13 x 28 x 28 bytes are expected"),
    "narrow": ("images-idx3", idx(np.zeros((12, 28, 27))), "12 x 28 x 28 .* got 12 x 28 x 27"),
    "wide": ("images-idx3", idx(np.zeros((12, 32, 32))), "got 12 x 32 x 32"),
    "flat": ("images-idx3", idx(np.zeros((12, 784, 1))), "got 12 x 784 x 1"),
    "exchanged": ("images-idx3", idx(np.zeros(12)), "images are expected"),
    "images": ("labels-idx1", idx(images(12)), "labels are expected, axes: 1, got axes: 3, images"),
}


@pytest.mark.parametrize("part", PREFIXES["mnist"])
@pytest.mark.parametrize("name", SETS)
def test_files_that_do_not_fit_each_other_are_refused(tmp_path: Path, name: str, part: str) -> None:
    written(tmp_path, "mnist")
    for kind in ("images-idx3", "labels-idx1"):
        data = (tmp_path / f"train-{kind}-ubyte").read_bytes()
        (tmp_path / f"t10k-{kind}-ubyte").write_bytes(data)
    file, data, message = SETS[name]
    (tmp_path / f"{part}-{file}-ubyte").write_bytes(data)
    with pytest.raises(FileError, match=f"{part}-.*-ubyte: .*{message}"):
        read("mnist", tmp_path)


@pytest.mark.parametrize("label", [0, 27, 255])
def test_letters_have_labels_from_1_to_26(tmp_path: Path, label: int) -> None:
    written(tmp_path, "emnist-letters")
    path = tmp_path / "emnist-letters-test-labels-idx1-ubyte"
    path.write_bytes(idx(np.array([1, 26, 1, label, 2])))
    with pytest.raises(FileError, match=f"labels from 1 to 26 are .* got {label} at sample 3"):
        read("emnist-letters", tmp_path)


# what is wrong in CIFAR files


def record(*labels: int) -> bytes:
    return bytes(labels) + bytes(3072)


CIFAR: dict[str, tuple[str, str, bytes, str]] = {
    "empty": ("cifar10", "data_batch_3.bin", b"", "records of 3073 bytes are .* got 0 bytes"),
    "short": ("cifar10", "test_batch.bin", record(1)[:-1], "got 3072 bytes, 3072 of them after"),
    "long": ("cifar10", "data_batch_1.bin", record(1) + b"\n", "1 of them after the last whole"),
    "label": ("cifar10", "data_batch_5.bin", record(9) + record(10), "0 to 9 .*got 10 in record 1"),
    "other": ("cifar10", "data_batch_1.bin", record(1, 2), "it is truncated or another version"),
    "empty 100": (
        "cifar100",
        "train.bin",
        b"",
        "records of 3074 bytes, |records of 3074 bytes are",
    ),
    "short 100": (
        "cifar100",
        "test.bin",
        record(1, 2)[:9],
        "9 of them after the last whole record",
    ),
    "coarse": (
        "cifar100",
        "train.bin",
        record(20, 3),
        "from 0 to 19 .* byte 0 .* got 20 in record",
    ),
    "fine": ("cifar100", "test.bin", record(19, 100), "from 0 to 99 .* in byte 1 .* got 100"),
    "other 100": ("cifar100", "train.bin", record(1), "records of 3074 bytes are expected"),
}


@pytest.mark.parametrize("name", CIFAR)
def test_what_is_wrong_in_a_cifar_file_is_named(tmp_path: Path, name: str) -> None:
    source, file, data, message = CIFAR[name]
    written(tmp_path, source)
    (tmp_path / file).write_bytes(data)
    with pytest.raises(FileError, match=f"{file}: .*{message}"):
        read(source, tmp_path)


def test_every_truncated_record_is_refused(tmp_path: Path) -> None:
    written(tmp_path, "cifar100")
    whole = (tmp_path / "test.bin").read_bytes()
    for length in range(0, len(whole), 97):
        (tmp_path / "test.bin").write_bytes(whole[:length])
        with pytest.raises(FileError, match=r"test\.bin: records of 3074 bytes are expected"):
            read("cifar100", tmp_path)
    (tmp_path / "test.bin").write_bytes(whole[:3074])  # a subset
    assert len(read("cifar100", tmp_path).held_x) == 1


class Canary:
    def __reduce__(self) -> Any:
        return os.mkdir, ("canary",)


@pytest.mark.parametrize("protocol", [0, 2, 4])
@pytest.mark.parametrize(
    ("name", "files"),
    [
        ("cifar10", [f"cifar-10-batches-py/{name[:-4]}" for name in BATCHES]),
        ("cifar10", [name[:-4] for name in BATCHES]),
        ("cifar10", BATCHES),
        ("cifar100", ["cifar-100-python/train", "cifar-100-python/test"]),
        ("cifar100", ["train", "test"]),
        ("cifar100", ["train.bin", "test.bin"]),
    ],
)
def test_the_python_version_is_refused_and_never_executed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, files: list[str], protocol: int
) -> None:
    monkeypatch.chdir(tmp_path)
    for file in files:
        path = tmp_path / "root" / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(pickle.dumps({b"data": Canary(), b"labels": [0]}, protocol))
    with pytest.raises(
        FileError, match=r"never read; take the binary version from https://www\.cs"
    ):
        read(name, tmp_path / "root")
    assert not (tmp_path / "canary").exists()
    written(tmp_path / "root", name)
    read(name, tmp_path / "root")


# nothing grows


def peak(path: Path, limit: int = LIMIT) -> tuple[str, int]:
    """Return the message and the most bytes that reading a bad file allocates."""
    tracemalloc.start()
    try:
        with pytest.raises(FileError) as caught:
            read_images(path, limit=limit)
        return str(caught.value), tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def zeros(head: bytes, mebibytes: int) -> bytes:
    """Return a gzip file of `head` and so many zeros, a thousandth of their size."""
    machine = zlib.compressobj(9, wbits=31)
    data = machine.compress(head)
    for _ in range(mebibytes):
        data += machine.compress(bytes(2**20))
    return data + machine.flush()


def head(*sizes: int) -> bytes:
    return bytes([0, 0, 8, len(sizes)]) + struct.pack(f">{len(sizes)}I", *sizes)


@pytest.mark.parametrize(
    ("start", "message"),
    [
        (b"", "got an unknown type (type 0x00)"),
        (head(3, 28, 28), "got more"),
        (head(5), "got axes: 1, labels"),
        (head(2**31, 28, 28), "pass a larger limit"),
        (head(2**20, 28, 28), "pass a larger limit"),
    ],
)
def test_a_bomb_does_not_grow(tmp_path: Path, start: bytes, message: str) -> None:
    data = zeros(start, 64)
    (tmp_path / "images.gz").write_bytes(data)
    found, allocated = peak(tmp_path / "images.gz")
    assert message in found
    assert allocated < 2 * len(data) + 2**18


def test_a_lying_size_allocates_what_came_and_no_more_than_the_limit(tmp_path: Path) -> None:
    path = tmp_path / "images"
    path.write_bytes(head(LIMIT // 784, 28, 28) + bytes(1000))
    assert peak(path)[1] < 2**18
    path.write_bytes(gzip.compress(path.read_bytes()))
    assert peak(path)[1] < 2**18
    path.write_bytes(zeros(head(2**13, 2**5, 2**5), 16))  # the promise of 8 MiB is the most
    found, allocated = peak(path)
    assert "got more" in found
    assert allocated < 1.25 * 2**23 + 2**20
    found, allocated = peak(path, limit=2**23 - 1)
    assert "at most 8388607 bytes are expected" in found
    assert allocated < 2**18


def test_a_set_of_bombs_that_fit_each_other_meets_the_limit(tmp_path: Path) -> None:
    written(tmp_path, "mnist")
    count = 2**20
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(zeros(head(count), 1))
    (tmp_path / "train-images-idx3-ubyte").write_bytes(zeros(head(count, 28, 28), 8))
    with pytest.raises(FileError, match=f"images-idx3-ubyte: at most {LIMIT} bytes are expected"):
        read("mnist", tmp_path)
    with pytest.raises(FileError, match="labels-idx1-ubyte: at most 100000 bytes are expected"):
        read("mnist", tmp_path, limit=100_000)


@pytest.mark.parametrize("name", NAMES[1:])
def test_a_large_sparse_file_is_not_read(tmp_path: Path, name: str) -> None:
    written(tmp_path, name)
    for path in sorted(tmp_path.iterdir()):
        data = path.read_bytes()
        os.truncate(path, 2**40)
        with pytest.raises(FileError, match=f"{path.name}: .*pass a larger limit"):
            read(name, tmp_path)
        path.write_bytes(data)


# any damage


def damaged(data: bytes, rng: np.random.Generator) -> bytes:
    changed = bytearray(data)
    start = int(rng.integers(min(len(data), 24) if rng.random() < 0.5 else len(data)))
    match int(rng.integers(5)):
        case 0:
            changed[start] ^= 1 << int(rng.integers(8))
        case 1:
            del changed[start:]
        case 2:
            changed[start:start] = rng.bytes(int(rng.integers(1, 9)))
        case 3:
            del changed[start : start + int(rng.integers(1, 9))]
        case _:
            some = rng.bytes(int(rng.integers(1, 9)))
            changed[start : start + len(some)] = some
    return bytes(changed)


def told(data: bytes) -> NDArray | None:
    """The array that a plain IDX file of images has by its definition, None if it is none."""
    if data[:4] != b"\0\0\x08\x03" or len(data) < 17:
        return None
    sizes = struct.unpack(">3I", data[4:16])
    if 0 in sizes or sizes[0] * sizes[1] * sizes[2] != len(data) - 16:
        return None
    return np.frombuffer(data, np.uint8, offset=16).reshape(sizes)


def test_a_damaged_compressed_file_gives_the_same_array_or_a_file_error(tmp_path: Path) -> None:
    wanted = np.arange(140).reshape(5, 4, 7) // 3
    data, path = gzip.compress(idx(wanted), mtime=0), tmp_path / "images.gz"
    messages = []
    tracemalloc.start()
    try:
        for seed in range(1500):
            path.write_bytes(damaged(data, np.random.default_rng(seed)))
            try:
                assert np.array_equal(read_images(path), wanted), seed
            except FileError as error:
                messages.append(str(error))
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()
    assert 1000 < len(messages) < 1500
    assert all(message.startswith(f"{path}: ") and len(message) < 600 for message in messages)


def test_a_damaged_plain_file_is_what_its_bytes_say_or_a_file_error(tmp_path: Path) -> None:
    data, path = idx(np.arange(140).reshape(5, 4, 7)), tmp_path / "images"
    counts = [0, 0]
    for seed in range(1500):
        bad = damaged(data, np.random.default_rng(seed))
        path.write_bytes(bad)
        expected = told(bad)
        counts[expected is None] += 1
        if expected is None and bad[:2] != b"\x1f\x8b":
            with pytest.raises(FileError, match="images: "):
                read_images(path)
        elif expected is not None:
            assert np.array_equal(read_images(path), expected), seed
    assert min(counts) > 200


@pytest.mark.parametrize("name", NAMES[1:])
def test_a_damaged_set_gives_samples_that_fit_or_a_file_error(tmp_path: Path, name: str) -> None:
    written(tmp_path, name)
    whole = read(name, tmp_path)
    classes = {"emnist-letters": 26, "cifar100": 100}.get(name, 10)
    files = sorted(tmp_path.iterdir())
    messages = []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        path = files[int(rng.integers(len(files)))]
        data = path.read_bytes()
        path.write_bytes(damaged(data, rng))
        try:
            found = read(name, tmp_path)
            assert [a.shape for a in found] == [a.shape for a in whole]
            assert all((a >= 0).all() and (a < classes).all() for a in found[1::2])
        except FileError as error:
            messages.append(str(error))
        path.write_bytes(data)
    assert 50 < len(messages) < 200
    assert all(message.startswith(str(tmp_path)) for message in messages)
