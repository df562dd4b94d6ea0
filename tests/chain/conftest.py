"""A tiny section: a chain of sessions in a second or two."""

import dataclasses
from pathlib import Path

import pytest

from tests.chain.in_process import InProcessBackend
from validation_ch7.checkpoints import CheckpointStore
from validation_kaggle_manager import ValidationKaggleManager

SECTION = """
section: section_7_6_rl_performance
default_scenario: traffic_light_control
default_algorithm: ppo
scenarios:
  traffic_light_control:
    environment: {horizon_s: 60}
  other_road:
    environment: {horizon_s: 90}
algorithms:
  ppo:
    n_timesteps: 1024
    n_envs: 2
    normalize: true
    policy_kwargs: {net_arch: [8, 8]}
    n_steps: 32
    batch_size: 32
    n_epochs: 2
    learning_rate: lin_1e-3
  dqn:
    n_timesteps: 400
    n_envs: 2
    policy_kwargs: {net_arch: [8]}
    buffer_size: 300
    learning_starts: 20
    train_freq: 4
checkpoints: {save_freq: 128, max_keep: 2}
evaluation: {freq: 256, episodes: 2, quick_episodes: 1}
session: {hours: 1, quick_timesteps: 256}
"""


@dataclasses.dataclass
class Place:
    """A workspace with a tiny section in it."""

    root: Path
    lines: list[str] = dataclasses.field(default_factory=list)
    backend: InProcessBackend | None = None

    def __post_init__(self):
        self.root.mkdir(parents=True, exist_ok=True)
        self.config = self.root / "section.yml"
        self.config.write_text(SECTION, encoding="utf-8")
        self.backend = InProcessBackend(self.root / "sessions")

    def edit(self, old, new):
        text = self.config.read_text(encoding="utf-8")
        assert old in text
        self.config.write_text(text.replace(old, new), encoding="utf-8")

    def manager(self, **arguments):
        arguments.setdefault("backend", self.backend)
        return ValidationKaggleManager(self.root, say=self.lines.append, **arguments)

    def run(self, **flags):
        return self.manager().run_validation_section(config=self.config, **flags)

    @property
    def store(self):
        models = self.root / "validation_ch7" / "section_7_6_rl_performance" / "data" / "models"
        return CheckpointStore(models, "traffic_light_control")

    @property
    def said(self):
        return "\n".join(self.lines)


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path / "work space")
