"""Looks for state that a module would share between all who import it: what a test changes, the next one meets."""

import ast
import dataclasses
import functools
import inspect
import re
import struct
import types
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from datetime import date, time, timedelta, timezone
from enum import Enum
from ipaddress import IPv4Network, IPv6Network
from logging import Logger
from pathlib import PurePath
from typing import Any, Final

import numpy as np
from fastapi import APIRouter
from pydantic import BaseModel, SecretStr, TypeAdapter

CHANGERS: Final = frozenset(
    (
        "append",
        "extend",
        "insert",
        "remove",
        "pop",
        "popitem",
        "clear",
        "add",
        "discard",
        "update",
        "setdefault",
        "sort",
    )
)
"""Methods by which a collection changes."""

_UNCHANGING: Final = (
    str, bytes, int, float, complex, bool, type(None), type(...), Enum, date, time, timedelta, timezone, PurePath,
    re.Pattern, struct.Struct, np.generic, SecretStr, type, types.FunctionType, types.BuiltinFunctionType,
    types.GenericAlias, types.UnionType, IPv4Network, IPv6Network,
)  # fmt: skip

_HARMLESS: Final = (
    Logger,  # the library's own registry, by name
    ContextVar,  # each task has its own
    APIRouter,  # filled while its module is read, and then only looked at
    TypeAdapter,  # a compiled schema
)

_DECLARATIONS: Final = frozenset({"__all__", "__slots__", "model_config"})
"""Read by the language and by Pydantic, while the module is."""

_TYPING: Final = frozenset({"typing", "typing_extensions", "types", "collections.abc", "annotated_types"})


def find_state(source: str, namespace: Mapping[str, object]) -> list[str]:
    """Say, a sentence each, what of a module may change after it was read.

    Args:
        source: Of the module.
        namespace: The module's names and values.
    """
    tree = ast.parse(source)
    found = [f"{name}: {problem}" for name, problem in _names(tree.body, namespace, "")]
    constants = {name for node in tree.body for name in _assigned(node)}
    return found + [f"line {line}: {problem}" for line, problem in _changes(tree, constants)]


def _names(body: list[ast.stmt], values: Mapping[str, object], prefix: str) -> Iterator[tuple[str, str]]:
    for node in body:
        if isinstance(node, ast.ClassDef) and isinstance(owner := values.get(node.name), type):
            yield from _names(node.body, vars(owner), f"{prefix}{node.name}.")
        elif isinstance(node, ast.FunctionDef) and isinstance(values.get(node.name), functools._lru_cache_wrapper):  # noqa: SLF001 - its only name
            yield f"{prefix}{node.name}", "is a cache that everybody shares"
        for name in _assigned(node):
            if name in values and name not in _DECLARATIONS:
                yield from ((f"{prefix}{name}", problem) for problem in _problems(node, values[name]))


def _assigned(node: ast.stmt) -> Iterator[str]:
    targets: list[ast.expr] = []
    if isinstance(node, ast.Assign):
        targets = node.targets
    elif isinstance(node, ast.AnnAssign) and node.value is not None:
        targets = [node.target]
    for target in targets:
        yield from (each.id for each in ast.walk(target) if isinstance(each, ast.Name))


def _problems(node: ast.stmt, value: object) -> Iterator[str]:
    if isinstance(value, dict | set | list):
        if not (isinstance(node, ast.AnnAssign) and re.search(r"\b(Final|ClassVar)\b", ast.unparse(node.annotation))):
            yield f"is a {type(value).__name__} and not Final"
    elif not unchanging(value):
        yield f"is a {type(value).__name__}, which may change"


def unchanging(value: object) -> bool:
    """Say whether a value stays what it is."""
    if isinstance(value, tuple | frozenset):
        return all(unchanging(each) for each in value)
    if isinstance(value, types.MappingProxyType):
        return True
    if isinstance(value, BaseModel):
        return bool(value.model_config.get("frozen"))
    if dataclasses.is_dataclass(value):
        parameters: Any = vars(type(value))["__dataclass_params__"]
        return bool(parameters.frozen)
    plain = type(value) is object or isinstance(value, _UNCHANGING + _HARMLESS)
    return plain or type(value).__module__ in _TYPING or _is_descriptor(value)


def _is_descriptor(value: object) -> bool:
    return inspect.isdatadescriptor(value) or isinstance(value, staticmethod | classmethod)


def _changes(tree: ast.Module, constants: set[str]) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Global):
            yield node.lineno, f"global {', '.join(node.names)}"
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in CHANGERS:
            yield from _of_constant(node.func.value, constants, f"{node.func.attr}()")
        elif isinstance(node, ast.Subscript | ast.Attribute) and isinstance(node.ctx, ast.Store | ast.Del):
            yield from _of_constant(node.value, constants, "written into")


def _of_constant(node: ast.expr, constants: set[str], how: str) -> Iterator[tuple[int, str]]:
    if isinstance(node, ast.Name) and node.id in constants:
        yield node.lineno, f"{node.id} is changed: {how}"
