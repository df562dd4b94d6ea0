"""What a model repository of Stable-Baselines3 holds besides the model: card, configuration, results."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from validation_ch7.checkpoints.manifest import Manifest

LIBRARY = "stable-baselines3"


@dataclass(frozen=True)
class Card:
    """One model, as its repository describes it."""

    repository: str
    manifest: Manifest
    normalized: bool
    """Whether its observations are normalised, so that the statistics lie beside it."""

    @property
    def stem(self) -> str:
        """Name of the model's file without its suffix: ``<algo>-<env>``."""
        return f"{self.manifest.compatibility.algorithm.lower()}-{self.manifest.scenario}"

    @property
    def reward(self) -> float | None:
        """Mean evaluation reward, where it was evaluated."""
        return self.manifest.metrics.get("mean_reward")

    def config(self) -> bytes:
        """Return ``config.json``."""
        facts = self.manifest.compatibility.model_dump(mode="json")
        own = {"steps": self.manifest.steps, "exactness": self.manifest.exactness.value, "digest": self.manifest.digest}
        return _json({**facts, **own, "software": self.manifest.software})

    def results(self) -> bytes:
        """Return ``results.json``."""
        facts = {"mean_reward": self.reward, "n_eval_episodes": self.manifest.metrics.get("episodes")}
        return _json({**facts, "eval_datetime": self.manifest.created, "steps": self.manifest.steps})

    def readme(self) -> bytes:
        """Return the model card, with the header that the Hub reads."""
        algorithm, name = _plain(self.manifest.compatibility.algorithm), _plain(self.manifest.scenario)
        header: dict[str, object] = {
            "library_name": LIBRARY,
            "tags": [name, "deep-reinforcement-learning", "reinforcement-learning", LIBRARY],
        }
        if self.reward is not None:
            header |= {"model-index": [_measured(algorithm, name, self.reward)]}
        lines = [
            "---", *(f"{key}: {json.dumps(value)}" for key, value in header.items()), "---", "",  # JSON is YAML
            f"# {algorithm} on {name}", "",
            f"Trained for {self.manifest.steps:,} steps with Stable-Baselines3, in sessions that resume exactly.", "",
            "```python", "from huggingface_sb3 import load_from_hub", f"from stable_baselines3 import {algorithm}",
            "", f'model = {algorithm}.load(load_from_hub("{self.repository}", "{self.stem}.zip"))', "```", "",
        ]  # fmt: skip
        if self.normalized:
            lines += ["Observations are normalised: load `vec_normalize.pkl` with `VecNormalize.load`.", ""]
        lines += [f"Checkpoint `{self.manifest.digest}`, exactness: {self.manifest.exactness}.", ""]
        return "\n".join(lines).encode()


def _measured(algorithm: str, name: str, reward: float) -> dict[str, object]:
    result = {
        "task": {"type": "reinforcement-learning", "name": "reinforcement-learning"},
        "dataset": {"name": name, "type": name},
        "metrics": [{"type": "mean_reward", "value": f"{reward:.2f}", "name": "mean_reward", "verified": False}],
    }
    return {"name": algorithm, "results": [result]}


def _plain(text: str) -> str:
    """Return a name without signs that mean something in Markdown, HTML or Python."""
    return re.sub(r"[^A-Za-z0-9._-]", "_", text)


def _json(value: object) -> bytes:
    return (json.dumps(value, indent=2, sort_keys=True, default=str) + "\n").encode()
