"""The members that make our zip one of Stable-Baselines3's: ``PPO.load(path)`` opens it.

They are written for people who want plain SB3, and never read back here except for the ``.pth`` weights.
Attributes that cannot change during a run (spaces, policy class, schedules) are serialised once.
"""

from __future__ import annotations

import io
import json
from collections import deque
from typing import Any

import numpy as np
import stable_baselines3
import torch as th
from stable_baselines3.common.save_util import data_to_json
from stable_baselines3.common.utils import get_system_info

from validation_ch7.checkpoints.snapshot import Snapshot

_PLAIN = (bool, int, float, str, type(None))


class Sb3Members:
    """Turns snapshots into SB3's zip members.

    Attributes:
        missing: attributes that could not be serialised, so that plain SB3 will not see them.
    """

    def __init__(self) -> None:
        self._constant: dict[str, Any] = {}
        self._system_info = get_system_info(print_info=False)[1].encode()
        self.missing: set[str] = set()

    def prepare(self, attributes: dict[str, Any]) -> None:
        """Serialise what cannot change; called before training goes on, so that nothing moves meanwhile."""
        for name, value in attributes.items():
            if name not in self._constant and not _changes(name, value):
                self._constant[name] = self._serialised(name, value)

    def members(self, snapshot: Snapshot) -> dict[str, bytes]:
        """Return the zip members, by name."""
        data = {name: self._value(name, value) for name, value in snapshot.attributes.items()}
        present = {name: value for name, value in data.items() if value is not None or name not in self.missing}
        members = {"data": json.dumps(present, indent=4).encode()}
        parameters, variables = snapshot.tensors.unpack()
        members["pytorch_variables.pth"] = _saved(variables)
        members |= {f"{name}.pth": _saved(value) for name, value in parameters.items()}
        members["_stable_baselines3_version"] = stable_baselines3.__version__.encode()
        members["system_info.txt"] = self._system_info
        return members

    def _value(self, name: str, value: Any) -> Any:
        if _changes(name, value) or name not in self._constant:
            return self._serialised(name, value)
        return self._constant[name]

    def _serialised(self, name: str, value: Any) -> Any:
        if isinstance(value, _PLAIN):
            return value
        try:
            return json.loads(data_to_json({name: value}))[name]
        except Exception:  # noqa: BLE001  pickling runs the object's own code, which may fail in any way
            self.missing.add(name)
            return None


def _changes(name: str, value: Any) -> bool:
    if isinstance(value, dict):
        return bool(value) and all(isinstance(item, np.ndarray) for item in value.values())
    return isinstance(value, (*_PLAIN, np.ndarray, deque)) or name in ("action_noise", "_last_lstm_states")


def _saved(value: Any) -> bytes:
    buffer = io.BytesIO()
    th.save(value, buffer)
    return buffer.getvalue()
