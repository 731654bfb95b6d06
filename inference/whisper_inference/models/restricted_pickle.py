"""Reading the pickle of a torch checkpoint as data: nothing in it is imported or called.

This is a small machine of its own over the opcodes that `torch.save` writes, not Python's unpickler. It knows five
names and what each of them would build; every other name or opcode is refused before it has any effect.
"""

import pickletools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import islice
from types import MappingProxyType
from typing import IO, Any, Final, TypeAlias

from whisper_inference.models.tensors import ElementType

_MARK: Final = object()

_MOST_OPCODES: Final = 2_000_000
"""Whisper's largest checkpoint takes about 80,000; a pickle of gigabytes would take hours."""


class Refused(Exception):
    """The pickle is malformed, or asks for what a checkpoint of weights has no need of."""


@dataclass(frozen=True, slots=True)
class StorageRecord:
    """A stretch of numbers that the container holds under a key."""

    element_type: ElementType
    key: str
    elements: int


@dataclass(frozen=True, slots=True)
class TensorRecord:
    """A tensor's layout in a storage."""

    storage: StorageRecord
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Pickled:
    """What a pickle holds: plain values, lists, dictionaries and `TensorRecord`."""

    value: Any
    storages: Mapping[str, StorageRecord]
    """Every storage that it mentions, by key."""


def load_pickle(stream: IO[bytes]) -> Pickled:
    """Read one pickle from a stream, up to its end and no further.

    Raises:
        Refused: It is malformed, or holds anything but data.
    """
    machine = _Machine()
    try:
        for opcode, argument, _position in islice(pickletools.genops(stream), _MOST_OPCODES):
            if opcode.name == "STOP":
                return Pickled(machine.pop(), machine.storages)
            machine.run(opcode.name, argument)
    except (ValueError, IndexError, KeyError, TypeError, OverflowError, DeprecationWarning) as error:
        # The warning is for a wrong escape in a text, where warnings are errors.
        raise Refused(f"malformed: {error}") from error
    raise Refused("malformed: it has no end within reach")


@dataclass(frozen=True, slots=True)
class _Name:
    """A global name that the pickle mentions: known, and never looked up."""

    build: Callable[..., Any] | None
    element_type: ElementType | None = None


def _ordered_dict() -> dict[Any, Any]:
    return {}


def _tensor(storage: Any, offset: Any, shape: Any, strides: Any, *_gradient: Any) -> TensorRecord:  # noqa: ANN401 (untrusted)
    numbers = (offset, *shape, *strides)
    if not isinstance(storage, StorageRecord) or not all(type(number) is int for number in numbers):
        raise Refused("malformed: a tensor without storage or layout")
    return TensorRecord(storage, offset, tuple(shape), tuple(strides))


def _parameter(tensor: Any, *_gradient: Any) -> TensorRecord:  # noqa: ANN401 (untrusted)
    if not isinstance(tensor, TensorRecord):
        raise Refused("malformed: a parameter without tensor")
    return tensor


_NAMES: Final = MappingProxyType(
    {
        "collections OrderedDict": _Name(_ordered_dict),
        "torch._utils _rebuild_tensor_v2": _Name(_tensor),
        "torch._utils _rebuild_parameter": _Name(_parameter),
        "torch HalfStorage": _Name(None, ElementType.FLOAT16),
        "torch BFloat16Storage": _Name(None, ElementType.BFLOAT16),
        "torch FloatStorage": _Name(None, ElementType.FLOAT32),
        "torch DoubleStorage": _Name(None, ElementType.FLOAT64),
    }
)


def _name(name: str) -> _Name:
    if name not in _NAMES:
        raise Refused(f"it names {name.replace(' ', '.')!r}, which is not allowed in a checkpoint")
    return _NAMES[name]


def _storage(identity: Any) -> StorageRecord:  # noqa: ANN401 (untrusted)
    """Read a persistent id: `("storage", type, key, location, elements)`, in old files with a view after it."""
    match identity:
        case ("storage", _Name(element_type=ElementType() as element_type), str(key), str(), int(elements), *view):
            if view not in ([], [None]) or elements < 0:
                raise Refused("malformed: a storage that is part of another")
            return StorageRecord(element_type, key, elements)
        case _:
            raise Refused("malformed: a reference to something other than a storage")


@dataclass(slots=True)
class _Machine:
    """The pickle's stack and memo, and what each allowed opcode does to them."""

    stack: list[Any] = field(default_factory=list)
    memo: dict[int, Any] = field(default_factory=dict)
    storages: dict[str, StorageRecord] = field(default_factory=dict)

    def run(self, opcode: str, argument: Any) -> None:  # noqa: ANN401 (the opcode says its type)
        """Carry out one opcode.

        Raises:
            Refused: It is not among the allowed ones.
        """
        if opcode in _LITERALS:
            self.stack.append(argument)
        elif opcode in _CONSTANTS:
            self.stack.append(_CONSTANTS[opcode]())
        elif opcode in _ACTIONS:
            _ACTIONS[opcode](self, argument)
        elif opcode not in _FRAMING:
            raise Refused(f"its opcode {opcode} is not allowed in a checkpoint")

    def pop(self) -> Any:  # noqa: ANN401 (untrusted)
        return self.stack.pop()

    def pop_mark(self) -> list[Any]:
        items: list[Any] = []
        while (item := self.pop()) is not _MARK:
            items.append(item)
        return items[::-1]

    def make_tuple(self, count: int) -> None:
        items = [self.pop() for _ in range(count)]
        self.stack.append(tuple(items[::-1]))

    def put(self, index: int) -> None:
        self.memo[index] = self.stack[-1]

    def get(self, index: int) -> None:
        self.stack.append(self.memo[index])

    def reduce(self) -> None:
        arguments, name = self.pop(), self.pop()
        if not isinstance(name, _Name) or name.build is None:
            raise Refused("it calls something that is not allowed in a checkpoint")
        self.stack.append(name.build(*arguments))

    def set_items(self, items: list[Any]) -> None:
        target = self.stack[-1]
        # Only plain keys: the hash of nested tuples can take for ever.
        if not isinstance(target, dict) or not all(isinstance(key, str | int) for key in items[::2]):
            raise Refused("malformed: a dictionary without plain keys")
        target.update(zip(items[::2], items[1::2], strict=True))

    def append(self, items: list[Any]) -> None:
        target = self.stack[-1]
        if not isinstance(target, list):
            raise Refused("malformed: items for something other than a list")
        target.extend(items)

    def refer(self) -> None:
        storage = _storage(self.pop())
        if self.storages.setdefault(storage.key, storage) != storage:
            raise Refused("malformed: one storage with two types or lengths")
        self.stack.append(storage)

    def stack_name(self) -> None:
        name, module = self.pop(), self.pop()
        if not isinstance(name, str) or not isinstance(module, str):
            raise Refused("malformed: a name that is no text")
        self.stack.append(_name(f"{module} {name}"))


_Action: TypeAlias = Callable[[_Machine, Any], None]

_FRAMING: Final = frozenset({"PROTO", "FRAME"})

_LITERALS: Final = frozenset(
    {
        *("BININT", "BININT1", "BININT2", "LONG1", "LONG", "INT", "BINFLOAT"),
        *("BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "UNICODE", "BINSTRING", "SHORT_BINSTRING"),
    }
)

_CONSTANTS: Final = MappingProxyType[str, Callable[[], Any]](
    {
        "NONE": lambda: None,
        "NEWTRUE": lambda: True,
        "NEWFALSE": lambda: False,
        "EMPTY_DICT": dict,
        "EMPTY_LIST": list,
        "EMPTY_TUPLE": tuple,
        "MARK": lambda: _MARK,
    }
)

_ACTIONS: Final = MappingProxyType[str, _Action](
    {
        "TUPLE": lambda machine, _: machine.stack.append(tuple(machine.pop_mark())),
        "TUPLE1": lambda machine, _: machine.make_tuple(1),
        "TUPLE2": lambda machine, _: machine.make_tuple(2),
        "TUPLE3": lambda machine, _: machine.make_tuple(3),
        "PUT": _Machine.put,
        "BINPUT": _Machine.put,
        "LONG_BINPUT": _Machine.put,
        "MEMOIZE": lambda machine, _: machine.put(len(machine.memo)),
        "GET": _Machine.get,
        "BINGET": _Machine.get,
        "LONG_BINGET": _Machine.get,
        "GLOBAL": lambda machine, name: machine.stack.append(_name(name)),
        "STACK_GLOBAL": lambda machine, _: machine.stack_name(),
        "BINPERSID": lambda machine, _: machine.refer(),
        "REDUCE": lambda machine, _: machine.reduce(),
        "BUILD": lambda machine, _: machine.stack.pop() and None,  # a state dictionary's `_metadata`: of no use here
        "SETITEM": lambda machine, _: machine.set_items([machine.stack.pop(-2), machine.stack.pop()]),
        "SETITEMS": lambda machine, _: machine.set_items(machine.pop_mark()),
        "APPEND": lambda machine, _: machine.append([machine.pop()]),
        "APPENDS": lambda machine, _: machine.append(machine.pop_mark()),
    }
)
