"""Reads pickles without running code: classes and functions stay names."""

import pickletools
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, BinaryIO

MAX_STEPS = 2_000_000  # instructions of the pickle; a checkpoint with its optimizer has some ten thousand
MAX_NAME = 1000  # letters; no longer key is kept
_MAX_ARGS = 16  # of a call that is followed

_MAPPINGS = {"collections.OrderedDict", "collections.defaultdict", "collections.Counter", "builtins.dict"}
_FRESH: dict[str, Callable[[], Any]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_DICT": dict,
    "EMPTY_LIST": list,
    "EMPTY_SET": list,  # a set would ask its members for their hashes
    "EMPTY_TUPLE": tuple,
}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_COLLECTIONS: dict[str, Callable[[list[Any]], Any]] = {"TUPLE": tuple, "LIST": list, "FROZENSET": list}
_NUMBERS = ("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT")
_TEXTS = ("STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8")
_VALUES = {*_NUMBERS, *_TEXTS, "BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"}


@dataclass(frozen=True, eq=False, slots=True)
class Global:
    """The name of a class or function, which is never looked up."""

    name: str


@dataclass(eq=False, slots=True)
class Inert:
    """What a class or function would have made: its name, what it was given, and what was put into it."""

    name: str
    args: Any
    state: Any = None
    items: dict[str, Any] = field(default_factory=dict)
    values: list[Any] = field(default_factory=list)


class Reader:
    """Reads pickles, one after the other, from a file.

    Mappings become plain dicts by texts (whole numbers are written as such; other keys, which could be made to cost
    time without end, are left out), sets become lists.

    Args:
        file: open, in bytes.
        load_storage: what a reference to something outside the pickle means.
        makers: what is made in place of what some functions would, by their names.
    """

    def __init__(self, file: BinaryIO, load_storage: Callable[[Any], Any], makers: dict[str, Callable[..., Any]]):
        self.file, self.load_storage, self.makers = file, load_storage, makers
        self.stack: list[Any] = []
        self.marks: list[list[Any]] = []
        self.memo: dict[int, Any] = {}
        self.steps = 0

    def read(self) -> Any:
        """The next pickle.

        Raises:
            ValueError, and whatever else a damaged one leads to.
        """
        self.stack, self.marks, self.memo, self.steps = [], [], {}, 0
        for opcode, arg, _ in pickletools.genops(self.file):
            self._count(1)
            if opcode.name != "STOP":
                self._take(opcode.name, arg)
        return self.stack.pop()

    def _count(self, steps: int) -> None:
        self.steps += steps
        if self.steps > MAX_STEPS:
            raise ValueError(f"it holds more than {MAX_STEPS:,} values beside its tensors")

    def _take(self, name: str, arg: Any) -> None:
        """Follow one instruction."""
        if name in _VALUES:
            self.stack.append(arg)
        elif name in _FRESH:
            self.stack.append(_FRESH[name]())
        elif name in ("GET", "BINGET", "LONG_BINGET"):
            self.stack.append(self.memo[arg])
        elif name in ("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"):
            self.memo[len(self.memo) if arg is None else arg] = self.stack[-1]
        elif name in _TUPLES:
            size = _TUPLES[name]
            self.stack[-size:] = [tuple(self.stack[-size:])]
        elif name in _COLLECTIONS:
            self._push(_COLLECTIONS[name](self._pop_mark()))
        elif name not in ("PROTO", "FRAME"):
            _STEPS[name](self, arg)  # what is not known here fails: extensions, buffers

    def _push(self, value: Any) -> None:
        self.stack.append(value)

    def _pop_mark(self) -> list[Any]:
        items, self.stack = self.stack, self.marks.pop()
        return items

    def _mark(self, _: Any) -> None:
        self.marks.append(self.stack)
        self.stack = []

    def _pop(self, _: Any) -> None:
        if self.stack:
            self.stack.pop()
        else:
            self._pop_mark()

    def _dict(self, _: Any) -> None:
        items = self._pop_mark()
        self._push({})
        _put(self.stack[-1], zip(items[::2], items[1::2], strict=True))

    def _set_item(self, _: Any) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        _put(self.stack[-1], [(key, value)])

    def _set_items(self, _: Any) -> None:
        items = self._pop_mark()
        _put(self.stack[-1], zip(items[::2], items[1::2], strict=True))

    def _append(self, _: Any) -> None:
        value = self.stack.pop()
        _list_of(self.stack[-1]).append(value)

    def _append_all(self, _: Any) -> None:
        values = self._pop_mark()
        _list_of(self.stack[-1]).extend(values)

    def _global(self, arg: str) -> None:
        self._push(Global(arg.replace(" ", ".", 1).replace("__builtin__", "builtins")))

    def _stack_global(self, _: Any) -> None:
        name, module = self.stack.pop(), self.stack.pop()
        if not isinstance(name, str) or not isinstance(module, str):
            raise ValueError("a class has a name that is no text")
        self._push(Global(f"{module}.{name}"))

    def _instance(self, arg: str) -> None:
        args = tuple(self._pop_mark())
        self._push(self._make(Global(arg.replace(" ", ".", 1)), args))

    def _object(self, _: Any) -> None:
        named, *args = self._pop_mark()
        self._push(self._make(named, tuple(args)))

    def _reduce(self, _: Any) -> None:
        args, named = self.stack.pop(), self.stack.pop()
        self._push(self._make(named, args))

    def _new_with_keywords(self, _: Any) -> None:
        self.stack.pop()
        self._reduce(None)

    def _build(self, _: Any) -> None:
        state = self.stack.pop()
        if isinstance(self.stack[-1], Inert):  # what else has attributes does not need them
            self.stack[-1].state = state

    def _storage(self, _: Any) -> None:
        self._push(self.load_storage(self.stack.pop()))

    def _make(self, named: Any, args: Any) -> Any:
        """What stands for the result of a call."""
        name = named.name if isinstance(named, Global) else ""
        if isinstance(args, tuple) and len(args) <= _MAX_ARGS:
            if name == "torch._tensor._rebuild_from_type_v2":  # a subclass of Tensor, made by the first
                return self._make(args[0], args[2])
            if name in self.makers:
                return self.makers[name](*args)
            if name in _MAPPINGS:
                return self._make_mapping(args)
        return Inert(name, args)

    def _make_mapping(self, args: tuple[Any, ...]) -> dict[str, Any]:
        made = dict[str, Any]()
        for given in args:  # a dict, or pairs, after the function that a defaultdict would call
            pairs = list(given.items()) if isinstance(given, dict) else given if isinstance(given, list) else []
            self._count(len(pairs))
            _put(made, pairs)
        return made


def _put(target: Any, pairs: Iterable[tuple[Any, Any]]) -> None:
    items = target.items if isinstance(target, Inert) else target
    if not isinstance(items, dict):
        raise ValueError("it sets items of what has none")
    for key, value in pairs:
        name = str(key) if type(key) is int and abs(key) < 1 << 63 else key
        if type(name) is str and len(name) <= MAX_NAME:
            items[make_printable(name)] = value


def _list_of(target: Any) -> list[Any]:
    values = target.values if isinstance(target, Inert) else target
    if not isinstance(values, list):
        raise ValueError("it appends to what is no list")
    return values


def make_printable(name: str) -> str:
    """A name as a log and a JSON file can hold it."""
    return name if name.isprintable() else ascii(name)[1:-1]


_STEPS: dict[str, Callable[[Reader, Any], Any]] = {
    "MARK": Reader._mark,
    "POP": Reader._pop,
    "POP_MARK": lambda reader, _: reader._pop_mark(),
    "DUP": lambda reader, _: reader._push(reader.stack[-1]),
    "DICT": Reader._dict,
    "SETITEM": Reader._set_item,
    "SETITEMS": Reader._set_items,
    "APPEND": Reader._append,
    "APPENDS": Reader._append_all,
    "ADDITEMS": Reader._append_all,
    "GLOBAL": Reader._global,
    "STACK_GLOBAL": Reader._stack_global,
    "INST": Reader._instance,
    "OBJ": Reader._object,
    "REDUCE": Reader._reduce,
    "NEWOBJ": Reader._reduce,
    "NEWOBJ_EX": Reader._new_with_keywords,
    "BUILD": Reader._build,
    "BINPERSID": Reader._storage,
}
