"""Published dictionaries that are pickles, read without running what is in them.

Belongs here: the one place where a pickle is looked at. Its instructions are read one by one and
only those that build plain values are followed; nothing is imported and nothing is called, so there
is no instruction that could run code. Everything else is refused by name.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable
from typing import Any

import numpy as np

from adata_assets.errors import InputError

# Published dictionaries have about 1 MB.
MAX_BYTES = 64 << 20

_CONSTANTS = {
    "NONE": None,
    "NEWTRUE": True,
    "NEWFALSE": False,
    "EMPTY_DICT": dict,
    "EMPTY_LIST": list,
    "EMPTY_TUPLE": tuple,
}
_LITERALS = frozenset(
    {"INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"}
    | {"UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"}
    | {"STRING", "BINSTRING", "SHORT_BINSTRING", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8"}
)
_IGNORED = frozenset({"PROTO", "FRAME"})
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_SCALAR, _DTYPE, _ENCODE = "numpy scalar", "numpy dtype", "bytes of text"
# numpy renamed its inner package in version 2; protocol 2 writes bytes as encoded text.
_KNOWN = {
    ("numpy.core.multiarray", "scalar"): _SCALAR,
    ("numpy._core.multiarray", "scalar"): _SCALAR,
    ("numpy", "dtype"): _DTYPE,
    ("_codecs", "encode"): _ENCODE,
}
_ORDERS = ("<", ">", "|", "=")
_MARK = object()
_PLAIN = (str, bytes, int, float, bool, type(None))


class _RefusedError(Exception):
    """An instruction that does not build a plain value."""


class _Known(str):
    """One of the few names that stand for a way to write a plain value."""


class _Dtype:
    """A number's type; its byte order follows in an instruction of its own."""

    def __init__(self, code: Any) -> None:
        if not isinstance(code, str) or np.dtype(code).kind not in "biuf":
            raise _RefusedError(f"numpy dtype {code!r}")
        self.dtype = np.dtype(code)


def read_plain_pickle(content: bytes, *, place: str) -> Any:
    """Return the value of a pickle that is made of plain types alone.

    Admitted are dict, list, tuple, str, bytes, int, float, bool, None, and numpy's bool, integer
    and float scalars, which become Python's.

    Parameters
    ----------
    content
        The pickle.
    place
        Where it comes from, for errors.

    Raises
    ------
    InputError
        If anything else is in it (names it), or it is damaged.

    Examples
    --------
    >>> read_plain_pickle(b"(dVENSG00000000003\\nF2.5\\ns.", place="an example")
    {'ENSG00000000003': 2.5}
    >>> read_plain_pickle(b"cos\\nsystem\\n(Vid\\ntR.", place="an example")
    Traceback (most recent call last):
    adata_assets.errors.InputError: an example holds os.system, ...
    """
    if len(content) > MAX_BYTES:
        raise InputError(
            f"{place} is a pickle of {len(content):,} bytes; dictionaries have less than "
            f"{MAX_BYTES:,}: give the right file"
        )
    try:
        return _Reader().read(content)
    except _RefusedError as error:
        raise InputError(
            f"{place} holds {error}, which is no plain value (dict, list, str, number); a pickle "
            "with more in it can run code and is not read: give the dictionary as JSON"
        ) from None
    except (ValueError, IndexError, KeyError, TypeError, UnicodeError) as error:
        raise InputError(
            f"{place} is no readable pickle ({type(error).__name__}: {error}): fetch it again"
        ) from error


class _Reader:
    """Follows the instructions of one pickle over a stack of plain values."""

    def __init__(self) -> None:
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}
        self._follow: dict[str, Callable[[Any], None]] = {
            "MARK": lambda _: self._stack.append(_MARK),
            "POP": lambda _: self._drop(),
            "DUP": lambda _: self._stack.append(self._stack[-1]),
            "TUPLE": lambda _: self._stack.append(tuple(self._pop_to_mark())),
            "LIST": lambda _: self._stack.append(self._pop_to_mark()),
            "DICT": lambda _: self._stack.append(_pairs(self._pop_to_mark())),
            "APPEND": lambda _: self._extend([self._stack.pop()]),
            "APPENDS": lambda _: self._extend(self._pop_to_mark()),
            "SETITEM": lambda _: self._update(self._pop_n(2)),
            "SETITEMS": lambda _: self._update(self._pop_to_mark()),
            "GLOBAL": lambda name: self._name(*name.split(" ", 1)),
            "STACK_GLOBAL": lambda _: self._name(*self._pop_n(2)),
            "REDUCE": lambda _: self._make(*self._pop_n(2)),
            "BUILD": lambda _: self._set_byte_order(self._stack.pop()),
        }
        for names, action in (
            (("PUT", "BINPUT", "LONG_BINPUT"), self._remember),
            (("GET", "BINGET", "LONG_BINGET"), self._recall),
        ):
            self._follow |= dict.fromkeys(names, action)
        self._follow["MEMOIZE"] = lambda _: self._remember(len(self._memo))

    def read(self, content: bytes) -> Any:
        """Return what stands on the stack at the end."""
        for opcode, argument, _ in pickletools.genops(content):
            if opcode.name == "STOP":
                break
            self._step(opcode.name, argument)
        (value,) = self._stack
        _require_plain(value)
        return value

    def _step(self, name: str, argument: Any) -> None:
        if name in _LITERALS:
            self._stack.append(argument)
        elif name in _CONSTANTS:
            constant = _CONSTANTS[name]
            self._stack.append(constant() if isinstance(constant, type) else constant)
        elif name in _TUPLES:
            self._stack.append(tuple(self._pop_n(_TUPLES[name])))
        elif name in self._follow:
            self._follow[name](argument)
        elif name not in _IGNORED:
            raise _RefusedError(f"the instruction {name}")

    def _pop_n(self, n_values: int) -> list[Any]:
        values = [self._stack.pop() for _ in range(n_values)][::-1]
        if any(value is _MARK for value in values):
            raise ValueError("a value is missing")
        return values

    def _pop_to_mark(self) -> list[Any]:
        values: list[Any] = []
        while (value := self._stack.pop()) is not _MARK:
            values.append(value)
        return values[::-1]

    def _drop(self) -> None:
        self._stack.pop()

    def _remember(self, place: int) -> None:
        self._memo[place] = self._stack[-1]

    def _recall(self, place: int) -> None:
        self._stack.append(self._memo[place])

    def _extend(self, values: list[Any]) -> None:
        target = self._stack[-1]
        if type(target) is not list:
            raise _RefusedError(f"items put into a {type(target).__name__}")
        target.extend(values)

    def _update(self, values: list[Any]) -> None:
        target = self._stack[-1]
        if type(target) is not dict:
            raise _RefusedError(f"items put into a {type(target).__name__}")
        target.update(_pairs(values))

    def _name(self, module: str, name: str) -> None:
        known = _KNOWN.get((module, name))
        if known is None:
            raise _RefusedError(f"{module}.{name}")
        self._stack.append(_Known(known))

    def _make(self, what: Any, given: Any) -> None:
        if not isinstance(what, _Known) or not isinstance(given, tuple):
            raise _RefusedError(f"a call of {type(what).__name__}")
        if what == _DTYPE:
            self._stack.append(_Dtype(given[0]))
        elif what == _ENCODE:
            text, encoding = given
            if encoding != "latin1":
                raise _RefusedError(f"bytes in the encoding {encoding!r}")
            self._stack.append(str(text).encode("latin1"))
        else:
            self._stack.append(_scalar(*given))

    def _set_byte_order(self, state: Any) -> None:
        target = self._stack[-1]
        if not isinstance(target, _Dtype) or state[1] not in _ORDERS or any(state[2:5]):
            raise _RefusedError(f"a state for a {type(target).__name__}")
        target.dtype = target.dtype.newbyteorder(state[1])


def _scalar(dtype: Any, content: Any) -> Any:
    if not isinstance(dtype, _Dtype) or not isinstance(content, bytes):
        raise _RefusedError("a numpy scalar that is no number")
    (value,) = np.frombuffer(content, dtype.dtype).tolist()
    return value


def _pairs(values: list[Any]) -> dict[Any, Any]:
    return dict(zip(values[::2], values[1::2], strict=True))


def _require_plain(value: Any) -> None:
    # By identity, because a list can hold itself.
    waiting, seen = [value], set()
    while waiting:
        value = waiting.pop()
        if id(value) in seen or type(value) in _PLAIN:
            continue
        seen.add(id(value))
        if type(value) is dict:
            waiting += [*value.keys(), *value.values()]
        elif type(value) in (list, tuple):
            waiting += value
        else:
            raise _RefusedError(f"a {type(value).__name__.strip('_')}")
