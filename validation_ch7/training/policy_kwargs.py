"""``policy_kwargs`` from a configuration file: a mapping, or RL Zoo's ``dict(net_arch=[64, 64])`` as text.

Zoo evaluates such a text. Here it is parsed, and nothing but literals, ``dict(...)`` and the names of
activation functions is understood, so a configuration file cannot run code.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from torch import nn

from validation_ch7.errors import ConfigurationError

ACTIVATIONS: Mapping[str, type[nn.Module]] = MappingProxyType(
    {
        "tanh": nn.Tanh,
        "relu": nn.ReLU,
        "elu": nn.ELU,
        "leaky_relu": nn.LeakyReLU,
        "silu": nn.SiLU,
        "gelu": nn.GELU,
    }
)
_CLASSES = {kind.__name__: name for name, kind in ACTIVATIONS.items()}
_MODULES = ("nn", "th.nn", "torch.nn")
_RESERVED = frozenset({"self", "observation_space", "action_space", "lr_schedule", "use_sde", "args", "kwargs"})


def resolve_policy_kwargs(given: Mapping[str, Any] | str, policy: type[Any], where: str) -> dict[str, Any]:
    """Return the arguments for the policy's constructor, activation functions as classes.

    Raises:
        ConfigurationError: the text cannot be read, a key is unknown, or a value is impossible.
    """
    kwargs = dict(parse_policy_kwargs(given, where) if isinstance(given, str) else given)
    known = _accepted(policy)
    for key in kwargs:
        if key not in known:
            raise ConfigurationError(
                f"The policy {policy.__name__} has no such argument.",
                where=f"{where}.{key}",
                expected=f"one of: {', '.join(sorted(known))}",
                found=key,
                remedy="correct or remove this key",
            )
    if "activation_fn" in kwargs:
        kwargs["activation_fn"] = _activation(kwargs["activation_fn"], f"{where}.activation_fn")
    if "net_arch" in kwargs:
        kwargs["net_arch"] = _architecture(kwargs["net_arch"], f"{where}.net_arch")
    return kwargs


def parse_policy_kwargs(text: str, where: str) -> dict[str, Any]:
    """Return the mapping that a Zoo text spells, as plain data.

    Raises:
        ConfigurationError: the text holds anything but literals, ``dict(...)`` and activation names.

    >>> parse_policy_kwargs("dict(net_arch=dict(pi=[64], vf=[32]), activation_fn=nn.Tanh)", "")
    {'net_arch': {'pi': [64], 'vf': [32]}, 'activation_fn': 'tanh'}
    """
    try:
        value = _plain(ast.parse(text.strip(), mode="eval").body)
        if not isinstance(value, dict):
            raise ValueError("it is no mapping")
    except (ValueError, SyntaxError, RecursionError, MemoryError) as fault:
        raise ConfigurationError(
            "policy_kwargs cannot be read.",
            where=where,
            expected="a mapping, or a text such as dict(net_arch=[64, 64], activation_fn=nn.Tanh)",
            found=f"{text!r}: {fault}",
            remedy=f"use literals and these activations only: {', '.join(sorted(ACTIVATIONS))}",
        ) from None
    return value


def _plain(node: ast.expr) -> Any:
    match node:
        case ast.Constant(value=value) if value is None or isinstance(value, bool | int | float | str):
            return value
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=value)) if isinstance(value, int | float):
            return -value
        case ast.List(elts=parts) | ast.Tuple(elts=parts):
            return [_plain(part) for part in parts]
        case ast.Dict(keys=keys, values=values) if all(key is not None for key in keys):
            return {_plain(key): _plain(value) for key, value in zip(keys, values, strict=True) if key}
        case ast.Call(func=ast.Name(id="dict"), args=[], keywords=keywords) if all(item.arg for item in keywords):
            return {item.arg: _plain(item.value) for item in keywords}
        case ast.Attribute(value=module, attr=name) if ast.unparse(module) in _MODULES and name in _CLASSES:
            return _CLASSES[name]
    raise ValueError(f"{ast.unparse(node)} is not understood")


def _accepted(policy: type[Any]) -> set[str]:
    parameters = inspect.signature(policy).parameters
    return set(parameters) - _RESERVED


def _activation(value: Any, where: str) -> type[nn.Module]:
    name = str(value).rpartition(".")[2]
    name = _CLASSES.get(name, name.lower())
    if name not in ACTIVATIONS:
        raise ConfigurationError(
            "There is no such activation function.",
            where=where,
            expected=f"one of: {', '.join(sorted(ACTIVATIONS))}",
            found=value,
            remedy="name one of these",
        )
    return ACTIVATIONS[name]


def _architecture(value: Any, where: str) -> list[int] | dict[str, list[int]]:
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], Mapping):
        value = value[0]  # the spelling of SB3 before 1.8, still common in Zoo files
    parts = value.values() if isinstance(value, Mapping) else [value]
    for widths in parts:
        if not isinstance(widths, list | tuple) or not all(_is_width(width) for width in widths):
            raise ConfigurationError(
                "The network architecture is impossible.",
                where=where,
                expected="widths of 1 or more, such as [64, 64] or {pi: [64], vf: [64]}",
                found=value,
                remedy="give one whole number for each hidden layer",
            )
    return {key: list(widths) for key, widths in value.items()} if isinstance(value, Mapping) else list(value)


def _is_width(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1
