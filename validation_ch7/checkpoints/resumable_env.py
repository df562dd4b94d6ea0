"""A wrapper that gives any environment ``get_state()`` and ``set_state()``, for worker processes."""

from __future__ import annotations

import json
from typing import Any

import gymnasium as gym

from validation_ch7.checkpoints.graph import node_text
from validation_ch7.checkpoints.graph_capture import Capture
from validation_ch7.checkpoints.graph_restore import Restore, RestoreError


class ResumableEnv(gym.Wrapper[Any, Any, Any, Any]):
    """Makes an environment in a ``SubprocVecEnv`` resumable: its state can be asked for from outside.

    Put it outermost: ``SubprocVecEnv([lambda: ResumableEnv(Monitor(make())) ...])``. Environments in a
    ``DummyVecEnv`` need no wrapper.
    """

    def get_state(self) -> dict[str, Any]:
        """Return the state of the whole chain of wrappers below as plain data."""
        capture = Capture()
        node = capture.take(self.env, "env")
        capture.join_views()
        return {"node": json.loads(node_text(node)), "arrays": capture.arrays, "lost": capture.lost}

    def set_state(self, state: dict[str, Any]) -> None:
        """Put the state of the chain of wrappers back.

        Raises:
            RestoreError: the environment is another one, or its state was not complete.
        """
        if state["lost"]:
            raise RestoreError(", ".join(state["lost"]))
        self.env.reset()  # objects that only reset() makes must be there to be filled
        Restore(state["arrays"], self.env).put(state["node"], self.env, "env")
