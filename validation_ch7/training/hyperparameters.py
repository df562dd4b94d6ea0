"""Hyper-parameters: what the constructor of an algorithm accepts, and which values are possible.

Stable-Baselines3 takes many impossible values without a word (``gamma=5``) and fails on others deep inside
the first update, so they are checked here, before anything is built.
"""

from __future__ import annotations

import difflib
import inspect
import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from validation_ch7.errors import ConfigurationError
from validation_ch7.training.schedules import is_schedule, linear_schedule, spelled_number

_DECIDED_ELSEWHERE: Mapping[str, str] = MappingProxyType(
    {
        "self": "remove this key",
        "env": "choose it with `scenario`",
        "seed": "write `seed` at the top of the file",
        "device": "the device is chosen for the machine: remove this key here",
        "tensorboard_log": "curves are always written to data/logs: remove this key",
        "verbose": "progress is always shown: remove this key",
        "action_noise": "write noise_type and noise_std instead",
        "replay_buffer_class": "remove this key: checkpoints hold the standard buffer",
        "rollout_buffer_class": "remove this key: checkpoints hold the standard buffer",
        "_init_setup_model": "remove this key",
    }
)
_UNITS = ("step", "episode")


@dataclass(frozen=True)
class Bounds:
    """Which numbers are possible."""

    low: float
    high: float = math.inf
    whole: bool = False
    above: bool = False
    """Whether ``low`` itself is excluded."""
    words: str = ""
    """Pattern of texts that are possible as well: ``auto`` means ``auto`` and ``auto_0.1``."""
    schedule: bool = False

    def admit(self, value: Any) -> bool:
        """Whether ``value`` is possible.

        >>> Bounds(1, whole=True).admit(64), Bounds(0, 1).admit(1.5), Bounds(0, above=True).admit(0)
        (True, False, False)
        """
        if isinstance(value, str):
            head, _, tail = value.partition("_")
            return bool(self.words) and head == self.words and (not tail or _is_number(spelled_number(tail)))
        if not _is_number(value) or (self.whole and value != int(value)):
            return False
        return bool(self.low <= value <= self.high) and not (self.above and value == self.low)

    def __str__(self) -> str:
        """The bounds in words.

        >>> str(Bounds(0, 1, above=True)), str(Bounds(1, whole=True))
        ('a number above 0, at most 1', 'a whole number of 1 or more')
        """
        kind = "a whole number" if self.whole else "a number"
        low = f"above {self.low:g}" if self.above else f"of {self.low:g} or more"
        high = "" if math.isinf(self.high) else f", at most {self.high:g}"
        words = f", or {self.words}" if self.words else ""
        return f"{kind} {low}{high}{words}" + (", or a schedule such as lin_3e-4" if self.schedule else "")


_COUNT = Bounds(1, whole=True)
_SHARE = Bounds(0, 1)
_NOT_NEGATIVE = Bounds(0)
_POSITIVE = Bounds(0, above=True)
_SCHEDULED = Bounds(0, above=True, schedule=True)
BOUNDS: Mapping[str, Bounds] = MappingProxyType(
    {
        **dict.fromkeys(("learning_rate", "clip_range", "clip_range_vf"), _SCHEDULED),
        **dict.fromkeys(("n_steps", "batch_size", "n_epochs", "buffer_size", "policy_delay"), _COUNT),
        **dict.fromkeys(("target_update_interval", "stats_window_size", "cg_max_steps", "n_critic_updates"), _COUNT),
        **dict.fromkeys(("gamma", "gae_lambda", "tau", "exploration_initial_eps", "exploration_final_eps"), _SHARE),
        **dict.fromkeys(("max_grad_norm", "target_kl", "rms_prop_eps", "cg_damping"), _POSITIVE),
        **dict.fromkeys(("vf_coef", "target_policy_noise", "target_noise_clip"), _NOT_NEGATIVE),
        "ent_coef": Bounds(0, words="auto"),
        "target_entropy": Bounds(-math.inf, words="auto"),
        "exploration_fraction": Bounds(0, 1, above=True),
        "learning_starts": Bounds(0, whole=True),
        "gradient_steps": Bounds(-1, whole=True),
        "sde_sample_freq": Bounds(-1, whole=True),
        "top_quantiles_to_drop_per_net": Bounds(0, whole=True),
    }
)


def resolve_hyperparameters(given: Mapping[str, Any], algorithm: type[Any], n_envs: int, where: str) -> dict[str, Any]:
    """Return the keyword arguments that the constructor of ``algorithm`` gets.

    Raises:
        ConfigurationError: a key is unknown or decided elsewhere, or a value is impossible.
    """
    parameters = inspect.signature(algorithm).parameters
    resolved = {}
    for key, value in given.items():
        _require_known(key, parameters, algorithm.__name__, f"{where}.{key}")
        resolved[key] = _resolve(key, value, parameters[key], n_envs, f"{where}.{key}")
    return resolved


def _require_known(key: str, parameters: Mapping[str, Any], algorithm: str, where: str) -> None:
    if key in _DECIDED_ELSEWHERE:
        raise ConfigurationError("This key is not a hyper-parameter here.", where=where, remedy=_DECIDED_ELSEWHERE[key])
    if key in parameters:
        return
    known = sorted(set(parameters) - set(_DECIDED_ELSEWHERE) - {"policy", "policy_kwargs"})
    near = difflib.get_close_matches(key, known, n=1)
    raise ConfigurationError(
        f"{algorithm} has no such hyper-parameter.",
        where=where,
        expected=f"one of: {', '.join(known)}",
        found=key,
        remedy=f"did you mean {near[0]}?" if near else "correct or remove this key",
    )


def _resolve(key: str, value: Any, parameter: inspect.Parameter, n_envs: int, where: str) -> Any:
    if value is None and (parameter.default is None or "None" in str(parameter.annotation)):
        return None
    if key == "train_freq":
        return _train_freq(value, n_envs, where)
    bounds = BOUNDS.get(key)
    if bounds is not None and bounds.schedule and is_schedule(value):
        return _schedule(value, bounds, where)
    number = spelled_number(value)
    if bounds is not None:
        if not bounds.admit(number):
            raise _impossible(bounds, value, where)
        return int(number) if bounds.whole else number
    if isinstance(parameter.default, bool) and not isinstance(value, bool):
        raise _impossible("true or false", value, where)
    return number


def _schedule(value: str, bounds: Bounds, where: str) -> Any:
    try:
        return linear_schedule(value)
    except ValueError:
        raise _impossible(bounds, value, where) from None


def _train_freq(value: Any, n_envs: int, where: str) -> int | tuple[int, str]:
    count, unit = value if isinstance(value, list | tuple) and len(value) == 2 else (value, "step")
    count = spelled_number(count)
    if not _COUNT.admit(count) or unit not in _UNITS:
        raise _impossible('a whole number of 1 or more, or [n, "step"] or [n, "episode"]', value, where)
    if unit == "episode" and n_envs > 1:
        raise _impossible("steps, because n_envs is above 1", value, where, "set n_envs to 1, or count in steps")
    return int(count) if unit == "step" else (int(count), unit)


def _impossible(
    expected: object, found: object, where: str, remedy: str = "correct the value, then run the same command again"
) -> ConfigurationError:
    return ConfigurationError(
        "The value of a hyper-parameter is impossible.",
        where=where,
        expected=expected,
        found=repr(found),
        remedy=remedy,
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
