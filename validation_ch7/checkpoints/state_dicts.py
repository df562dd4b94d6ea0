"""State dictionaries of modules, with the tensors themselves, as ``state_dict(keep_vars=True)`` gives them.

PyTorch asks every module for hooks and extra state and detaches every tensor. Where a module does nothing of its own
when it is saved, which is nearly always, its dictionaries of parameters and buffers say the same in less than half of
the time.
"""

from __future__ import annotations

import functools
from collections import OrderedDict
from collections.abc import Hashable
from typing import Any, cast

import torch as th
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.save_util import recursive_getattr

_SAVING = ("state_dict", "_save_to_state_dict", "get_extra_state")


def torch_state(model: BaseAlgorithm) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return SB3's state dictionaries and single variables, by SB3's names; references, not copies."""
    parts, names = model._get_torch_save_params()
    variables = {name: recursive_getattr(model, name) for name in names}
    if type(model).get_parameters is not BaseAlgorithm.get_parameters:
        return model.get_parameters(), variables
    return {name: state_dictionary(_original(recursive_getattr(model, name))) for name in parts}, variables


def _original(part: Any) -> Any:
    """Return the module that was compiled, as SB3 does."""
    # Not getattr: a module without the attribute takes long to say so.
    return vars(part).get("_modules", {}).get("_orig_mod", part)


def state_dictionary(part: th.nn.Module | th.optim.Optimizer) -> dict[str, Any]:
    """Return the state dictionary of a module or an optimizer.

    >>> list(state_dictionary(th.nn.Sequential(th.nn.Linear(2, 2, bias=False), th.nn.BatchNorm1d(2, affine=False))))
    ['0.weight', '1.running_mean', '1.running_var', '1.num_batches_tracked']
    """
    found: OrderedDict[str, Any] = OrderedDict()
    if isinstance(part, th.nn.Module) and _collect(part, "", found):
        return found
    return part.state_dict()


def _collect(module: th.nn.Module, prefix: str, found: OrderedDict[str, Any]) -> bool:
    """Add the tensors of a module; return whether all of them could be found so."""
    own, kind = vars(module), cast(Hashable, type(module))
    if not _usual(kind) or "state_dict" in own or own["_state_dict_hooks"] or own["_state_dict_pre_hooks"]:
        return False
    for name, parameter in own["_parameters"].items():
        if parameter is not None:
            found[prefix + name] = parameter
    for name, buffer in own["_buffers"].items():
        if buffer is not None and name not in own["_non_persistent_buffers_set"]:
            found[prefix + name] = buffer
    for name, child in own["_modules"].items():
        if child is not None and not _collect(child, f"{prefix}{name}.", found):
            return False
    return True


@functools.lru_cache(maxsize=1024)
def _usual(kind: Any) -> bool:
    return all(getattr(kind, name) is getattr(th.nn.Module, name) for name in _SAVING)
