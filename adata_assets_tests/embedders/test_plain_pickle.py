"""P15: a pickle is read only as far as it builds plain values; nothing in it is ever run."""

from __future__ import annotations

import builtins
import contextlib
import io
import os
import pickle
import pickletools
import subprocess
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adata_assets.embedders.base import plain_pickle
from adata_assets.embedders.base.plain_pickle import read_plain_pickle
from adata_assets.errors import InputError

PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)
# Empty bytes are a call of bytes() up to protocol 2; no dictionary has any.
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary(min_size=1)
)
KEYS = st.text() | st.integers()
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(KEYS, inner),
    max_leaves=12,
)


def read(content: bytes) -> Any:
    return read_plain_pickle(content, place="the file")


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(value=st.dictionaries(KEYS, VALUES))
def test_plain_values_come_back(value: dict[Any, Any]) -> None:
    for protocol in PROTOCOLS:
        assert read(pickle.dumps(value, protocol)) == value


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_numpy_scalars_become_numbers(protocol: int) -> None:
    """As published medians are: float64 scalars, here of several types."""
    kinds = (np.float64, np.float32, np.float16, np.int64, np.int8, np.uint32, np.bool_)
    value = {kind.__name__: kind(1) for kind in kinds}
    found = read(pickle.dumps(value, protocol))
    assert found == value
    assert {type(number) for number in found.values()} == {float, int, bool}


def test_numpy_1_wrote_another_name() -> None:
    newer = pickle.dumps({"a": np.float64(1.5)}, 0)
    older = newer.replace(b"numpy._core.", b"numpy.core.")
    assert newer != older
    assert read(newer) == read(older) == {"a": 1.5}


def test_a_large_dictionary_is_read_in_full() -> None:
    value = {f"ENSG{i:011d}": i / 7 for i in range(30_000)}
    assert read(pickle.dumps(value)) == value


class Reduced:
    """Pickles itself as a call."""

    def __init__(self, function: Any, *given: Any) -> None:
        self.call = function, given

    def __reduce__(self) -> tuple[Any, ...]:
        return self.call


class WithState:
    """Pickles itself as an instance with attributes."""

    def __init__(self) -> None:
        self.a = 1


def hostile(path: Path) -> dict[str, Any]:
    write = f"touch {path}"
    return {
        "os.system": Reduced(os.system, write),
        "subprocess": Reduced(subprocess.call, write, None, None),
        "eval": Reduced(eval, f"open({str(path)!r}, 'w')"),
        "exec": Reduced(exec, f"open({str(path)!r}, 'w')"),
        "getattr": Reduced(getattr, "a", "upper"),
        "open": Reduced(io.open, str(path), "w"),
        "instance": WithState(),
        "class": WithState,
        "function": builtins.print,
        "set": {1, 2},
        "ordered": OrderedDict(a=1),
        "array": np.arange(3),
        "objects": np.array([WithState()], dtype=object),
        "complex": 1j,
        "numpy complex": np.complex128(1j),
        "numpy text": np.str_("a"),
        "numpy date": np.datetime64("2020-01-01"),
        "dtype": np.dtype("f8"),
        "structure": np.zeros(1, dtype=[("a", "f8")])[0],
        "ufunc": np.add,
    }


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("kind", hostile(Path("x")))
@pytest.mark.parametrize("inside", [False, True])
def test_p15_everything_else_is_refused_and_not_run(
    tmp_path: Path, kind: str, protocol: int, inside: bool
) -> None:
    trace = tmp_path / "trace"
    value = hostile(trace)[kind]
    content = pickle.dumps({"a": [1, (value,)]} if inside else value, protocol)
    with pytest.raises(InputError, match=r"^the file holds .*no plain value"):
        read(content)
    assert not trace.exists()


RAW = {
    "a call by the old instruction": b"(S'touch x'\nios\nsystem\n.",
    "a call of an object": b"(cos\nsystem\nS'touch x'\no.",
    "an instance with given arguments": b"\x80\x02cos\nsystem\n)\x81.",
    "a name alone": b"cnumpy\ndtype\n.",
    "a name in a tuple": b"(cnumpy\ndtype\nt.",
    "a call of a text": b"S'os.system'\n(S'touch x'\ntR.",
    "a persistent id": b"Pan id\n.",
    "an extension": b"\x80\x02\x82\x01.",
    "a state for a dict": b"(d(S'a'\nI1\ndb.",
    "items of a text": b"S'a'\nI1\na.",
    "pairs of a list": b"(lI1\nI2\ns.",
    "an encoding": b"c_codecs\nencode\n(Va\nVrot13\ntR.",
    "a dtype with objects": b"cnumpy\ndtype\n(VO8\nI0\nI1\ntR.",
    "a scalar without a type": b"cnumpy.core.multiarray\nscalar\n(Vf8\nVa\ntR.",
    "a mark as a value": b"\x80\x02]((t.",
    "an out-of-band buffer": b"\x80\x05\x97.",
    "a byte array": b"\x80\x05\x96\x01\x00\x00\x00\x00\x00\x00\x00a.",
}


@pytest.mark.parametrize("content", RAW.values(), ids=RAW)
def test_p15_instructions_written_by_hand_are_refused(content: bytes) -> None:
    with pytest.raises(InputError, match=r"^the file (holds|is no readable pickle)"):
        read(content)


@pytest.mark.parametrize("content", [b"", b"\x80", b"\x80\x04.", b"I1\nI2\n.", b"g5\n.", b"0."])
def test_damaged_content_is_told(content: bytes) -> None:
    with pytest.raises(InputError, match="the file is no readable pickle .*fetch it again"):
        read(content)


@settings(max_examples=150, deadline=None, derandomize=True, database=None)
@given(data=st.data())
def test_damage_anywhere_is_told_or_harmless(data: st.DataObject) -> None:
    """Whatever bytes change, the answer is a plain value or an InputError, never another error."""
    whole = bytearray(pickle.dumps({"ENSG1": np.float64(2.5), "ENSG2": [1, "a"]}, 2))
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(whole) - 1))
        whole[place] = data.draw(st.integers(0, 255))
    with contextlib.suppress(InputError):
        read(bytes(whole))


def test_a_list_in_itself_ends() -> None:
    endless: list[Any] = []
    endless.append(endless)
    found = read(pickle.dumps(endless))
    assert found[0] is found


def test_too_large_a_file_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plain_pickle, "MAX_BYTES", 10)
    with pytest.raises(InputError, match=r"a pickle of 5\d bytes; dictionaries have less than 10"):
        read(pickle.dumps({"a": "b" * 30}))


def test_p15_the_reader_knows_no_instruction_that_runs_code() -> None:
    """INST, OBJ, NEWOBJ, persistent ids and extensions are not followed at all."""
    followed = plain_pickle._Reader()._follow.keys() | plain_pickle._LITERALS
    every = {opcode.name for opcode in pickletools.opcodes}
    running = {"INST", "OBJ", "NEWOBJ", "NEWOBJ_EX", "PERSID", "BINPERSID", "EXT1", "EXT2", "EXT4"}
    assert running <= every
    assert not running & followed
