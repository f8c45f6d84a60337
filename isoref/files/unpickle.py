"""A pickle machine that can build a dict of names and float tensors, and do nothing else.

The machine of the standard library can call any function. `torch.load(weights_only=True)` refuses
foreign functions too, but a pickle of 1 MB with a deeply nested key crashes it.
"""

from __future__ import annotations

import pickle as op
from dataclasses import dataclass
from typing import Any

from isoref.files.failure import shown

LONGEST = 2**18
"""Most bytes of a pickle."""

_DTYPES = {"torch FloatStorage": "float32", "torch DoubleStorage": "float64"}
_DICT = "collections OrderedDict"
_TENSOR = "torch._utils _rebuild_tensor_v2"
_PARAMETER = "torch._utils _rebuild_parameter"


@dataclass(frozen=True, slots=True)
class _Global:
    name: str


@dataclass(frozen=True, slots=True)
class _Storage:
    dtype: str
    key: str
    count: int


@dataclass(frozen=True, slots=True)
class Tensor:
    """A tensor that is still bytes of the file."""

    dtype: str
    key: str
    count: int
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


_MARK = _Global("(")


def interpreted(code: bytes) -> Any:
    """Return the value that the pickle `code` describes, of dicts, tuples, texts and `Tensor`.

    Raises
    ------
    Unexpected
        When it needs anything else, or ends early.
    """
    try:
        return _Machine(code).run()
    except (IndexError, KeyError, UnicodeDecodeError) as error:
        raise Unexpected("it is damaged") from error


class Unexpected(Exception):
    """The pickle holds what no state dict needs."""


class _Machine:
    """The part of the pickle machine, protocol 2, that state dicts need."""

    def __init__(self, code: bytes) -> None:
        self.code = code
        self.at = 0
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def run(self) -> Any:
        """Return the value that the pickle describes."""
        while (opcode := self._bytes(1)) != op.STOP:
            self._step(opcode)
        return self._pop()

    def _step(self, opcode: bytes) -> None:
        push = self.stack.append
        match opcode:
            case op.PROTO:
                if self._bytes(1) != b"\x02":
                    raise Unexpected("pickle protocol 2 is expected")
            case op.MARK:
                push(_MARK)
            case op.EMPTY_DICT:
                push({})
            case op.EMPTY_TUPLE:
                push(())
            case op.TUPLE1 | op.TUPLE2 | op.TUPLE3:
                count = 1 + b"\x85\x86\x87".index(opcode)
                push(tuple(reversed([self._pop() for _ in range(count)])))
            case op.TUPLE:
                push(tuple(self._to_mark()))
            case op.NONE | op.NEWTRUE | op.NEWFALSE:
                push({b"N": None, b"\x88": True, b"\x89": False}[opcode])
            case op.BININT1 | op.BININT2:
                push(self._integer(1 if opcode == op.BININT1 else 2))
            case op.BININT:
                push(int.from_bytes(self._bytes(4), "little", signed=True))
            case op.LONG1:
                push(int.from_bytes(self._bytes(min(self._integer(1), 8)), "little", signed=True))
            case op.BINUNICODE:
                push(self._bytes(self._integer(4)).decode("utf-8"))
            case op.GLOBAL:
                push(_Global(f"{self._line()} {self._line()}"))
            case op.BINPUT | op.LONG_BINPUT:
                self.memo[self._integer(1 if opcode == op.BINPUT else 4)] = self.stack[-1]
            case op.BINGET | op.LONG_BINGET:
                push(self.memo[self._integer(1 if opcode == op.BINGET else 4)])
            case op.BINPERSID:
                push(_storage(self._pop()))
            case op.REDUCE:
                arguments = self._pop()
                push(_called(self._pop(), arguments))
            case op.SETITEM:
                value = self._pop()
                self._set([self._pop(), value])
            case op.SETITEMS:
                self._set(self._to_mark())
            case op.BUILD:  # the attributes of the dict, as _metadata
                self._pop()
                _expect(isinstance(self.stack[-1], dict), "an object with attributes")
            case _:
                raise Unexpected(f"opcode {opcode!r}")

    def _set(self, items: list[Any]) -> None:
        target = self.stack[-1]
        _expect(isinstance(target, dict) and len(items) % 2 == 0, "items without a dict")
        for key, value in zip(items[::2], items[1::2], strict=True):
            _expect(type(key) is str and key not in target, "a key that is no new text")
            target[key] = value

    def _pop(self) -> Any:
        value = self.stack.pop()
        _expect(value is not _MARK, "a misplaced mark")
        return value

    def _to_mark(self) -> list[Any]:
        start = len(self.stack) - 1
        while self.stack[start] is not _MARK:
            start -= 1
            _expect(start >= 0, "a missing mark")
        items = self.stack[start + 1 :]
        del self.stack[start:]
        return items

    def _bytes(self, count: int) -> bytes:
        found = self.code[self.at : self.at + count]
        _expect(len(found) == count, "an early end")
        self.at += count
        return found

    def _integer(self, size: int) -> int:
        return int.from_bytes(self._bytes(size), "little")

    def _line(self) -> str:
        end = self.code.find(b"\n", self.at)
        _expect(0 <= end <= self.at + 200, "a name without an end")
        line = self.code[self.at : end].decode("ascii")
        self.at = end + 1
        return line


def _expect(holds: bool, otherwise: str) -> None:
    if not holds:
        raise Unexpected(otherwise)


def _storage(told: Any) -> _Storage:
    _expect(type(told) is tuple and len(told) == 5 and told[0] == "storage", "a strange reference")
    _, kind, key, _, count = told
    _expect(isinstance(kind, _Global), "a storage without a type")
    _expect(kind.name in _DTYPES, f"a storage {shown(kind.name)}")
    _expect(type(key) is str and type(count) is int, "a strange storage")
    return _Storage(_DTYPES[kind.name], key, count)


def _called(function: Any, arguments: Any) -> Any:
    """Return what one of the three functions that a state dict needs would return."""
    _expect(isinstance(function, _Global) and type(arguments) is tuple, "a strange call")
    if function.name == _DICT and not arguments:
        return {}
    if function.name == _PARAMETER and arguments and isinstance(arguments[0], Tensor):
        return arguments[0]
    if function.name == _TENSOR and len(arguments) >= 4:
        storage, offset, shape, strides = arguments[:4]
        _expect(isinstance(storage, _Storage), "a tensor without storage")
        _expect(type(shape) is tuple and type(strides) is tuple, "a tensor without shape")
        _expect(len(shape) == len(strides) <= 2, "a tensor of more than two axes")
        numbers = (offset, *shape, *strides)
        _expect(all(type(n) is int and 0 <= n < 2**48 for n in numbers), "a strange shape")
        return Tensor(storage.dtype, storage.key, storage.count, offset, shape, strides)
    raise Unexpected(f"a call of {shown(function.name)}")
