"""A checkpoint's pickle is data: it builds tensors' records, and nothing that it names is ever called."""

import collections
import contextlib
import io
import os
import pickle
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typing_extensions import override

from whisper_inference.models.restricted_pickle import Refused, StorageRecord, TensorRecord, load_pickle
from whisper_inference.models.tensors import ElementType

UNHURRIED = settings(deadline=None)
"""A shared machine may stop for longer than any deadline."""

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(st.text() | st.integers(), inner),
    max_leaves=20,
)
PROTOCOLS = pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))


def load(data: bytes) -> Any:  # noqa: ANN401 (anything)
    return load_pickle(io.BytesIO(data)).value


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
@UNHURRIED
@given(value=PLAIN)
def test_plain_values_are_read(protocol: int, value: object) -> None:
    assert load(pickle.dumps(value, protocol)) == value


def test_an_ordered_dictionary_is_read_with_its_attributes_dropped() -> None:
    ordered: collections.OrderedDict[str, int] = collections.OrderedDict(a=1, b=2)
    ordered._metadata = {"version": 1}  # type: ignore[attr-defined] # noqa: SLF001 (as torch's state dictionaries have)
    assert load(pickle.dumps(ordered, 2)) == {"a": 1, "b": 2}


class Gadget:
    """Pickles itself as a call."""

    def __init__(self, *call: Any) -> None:  # noqa: ANN401 (a function and its arguments)
        self.call = call

    @override
    def __reduce__(self) -> Any:
        function, *arguments = self.call
        return function, tuple(arguments)


@PROTOCOLS
def test_a_call_is_refused_and_not_made(protocol: int, tmp_path: Path) -> None:
    witness = tmp_path / "executed"
    for function, argument in (
        (os.system, f"touch {witness}"),
        (subprocess.check_call, ["touch", str(witness)]),
        (eval, f"open({str(witness)!r}, 'w')"),
        (exec, f"open({str(witness)!r}, 'w')"),
        (io.open, str(witness)),
    ):
        with pytest.raises(Refused):
            load(pickle.dumps({"dims": Gadget(function, argument)}, protocol))
    assert not witness.exists()


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"\x80\x02cos\nsystem\nX\x02\x00\x00\x00ls\x85R.", "it names 'os.system'"),
        (b"\x80\x04\x8c\x02os\x8c\x06system\x93.", "it names 'os.system'"),
        (b"\x80\x02ctorch._utils\n_rebuild_device_tensor\n.", "it names 'torch._utils._rebuild_device_tensor'"),
        (b"\x80\x02cbuiltins\ngetattr\n.", "it names 'builtins.getattr'"),
        (b"(S'ls'\nios\nsystem\n.", "opcode STRING is not allowed|opcode INST is not allowed"),
        (b"\x80\x02\x82\x01.", "opcode EXT1 is not allowed"),
        (b"\x80\x02K\x01)R.", "calls something"),
        (b"\x80\x02ccollections\nOrderedDict\n)\x81.", "opcode NEWOBJ is not allowed"),
        (b"\x80\x02ctorch\nHalfStorage\n)R.", "calls something"),
        (b"\x80\x02ccollections\nOrderedDict\n]\x85R.", "malformed"),
        (b"\x80\x04K\x01K\x02\x93.", "a name that is no text"),
        (b"\x80\x02K\x01Q.", "something other than a storage"),
        (b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n(NK\x00))tR.", "a tensor without storage or layout"),
        (b"\x80\x02ctorch._utils\n_rebuild_parameter\n(NNNtR.", "a parameter without tensor"),
        (b"\x80\x02}K\x01K\x02u.", "malformed"),
        (b"\x80\x02]K\x01K\x02s.", "without plain keys"),
        (b"\x80\x02})K\x02s.", "without plain keys"),
        (b"\x80\x02K\x01K\x02a.", "something other than a list"),
        (b"\x80\x02h\x05.", "malformed"),
        (b"\x80\x02\x85.", "malformed"),
        (b"\x80\x02t.", "malformed"),
        (b"\x80\x02.", "malformed"),
        (b"\x80\x02K\x01", "malformed"),
        (b"\x80\x02S'\\h'\n.", "malformed|opcode STRING"),
        (b"", "malformed"),
        (b"\xff", "malformed"),
        (b"\x80\x02L" + b"9" * 9_999 + b"\n.", "malformed"),
        (b"\x80\x02X\xff\xff\xff\x7fabc.", "malformed"),
    ],
)
def test_a_pickle_of_no_checkpoint_is_refused(data: bytes, problem: str) -> None:
    with pytest.raises(Refused, match=problem):
        load(data)


def storage(elements: int = 6, key: str = "0", name: str = "HalfStorage") -> bytes:
    """Return opcodes that refer to a storage."""
    reference = b"(X\x07\x00\x00\x00storagectorch\n" + name.encode() + b"\nX\x01\x00\x00\x00" + key.encode()
    return reference + b"X\x03\x00\x00\x00cpuK" + bytes([elements]) + b"tQ"


def test_a_tensor_becomes_a_record() -> None:
    data = b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n(" + storage() + b"K\x00K\x02K\x03\x86K\x03K\x01\x86\x89NtR."
    expected = StorageRecord(ElementType.FLOAT16, "0", 6)
    pickled = load_pickle(io.BytesIO(data))
    assert pickled.value == TensorRecord(expected, 0, (2, 3), (3, 1))
    assert pickled.storages == {"0": expected}


def test_a_storage_of_two_types_is_refused() -> None:
    with pytest.raises(Refused, match="two types or lengths"):
        load(b"\x80\x02" + storage() + storage(name="FloatStorage") + b"\x86.")


def test_another_kind_of_storage_is_refused() -> None:
    with pytest.raises(Refused, match=r"it names 'torch\.LongStorage'"):
        load(b"\x80\x02" + storage(name="LongStorage") + b".")


@pytest.mark.parametrize(
    "data",
    [
        b"\x80\x02r\xff\xff\xff\xff.",  # a memo entry far beyond the others: gigabytes in Python's own unpickler
        b"\x80\x02K\x01r\xff\xff\xff\x7f.",
        b"\x80\x02)" + b"q\x00h\x00\x86" * 60 + b"}q\x01h\x00K\x01s.",  # a key whose hash takes 2**60 steps
        b"\x80\x02)" + b"q\x00h\x00\x86" * 60 + b"q\x01\x93.",  # a name whose text has 2**60 letters
        b"\x80\x02" + b"0N" * 10,
    ],
)
def test_a_bomb_costs_nothing(data: bytes) -> None:
    started = time.process_time()
    with contextlib.suppress(Refused):
        load(data)
    assert time.process_time() - started < 1


@UNHURRIED
@given(data=st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    with contextlib.suppress(Refused):  # every other error fails the test
        load(b"\x80\x02" + data + b".")
