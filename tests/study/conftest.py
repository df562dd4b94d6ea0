"""A tiny study: two chains of a second or two each."""

import dataclasses
from pathlib import Path

import pytest

from tests.chain.conftest import SECTION
from validation_ch7.study.layout import StudyFolder
from validation_ch7.study.spec import StudySpec, load_study

STUDY = """
name: tiny
section: section_7_6_rl_performance
algorithms: [ppo]
scenarios: [traffic_light_control]
training_seeds: [0, 1]
timesteps: 512
evaluation:
  seeds: {first: 1000003, count: 3}
  tuning_seeds: {first: 1000103, count: 2}
  cases: {near: {title: near}}
  controllers: [webster, max_pressure]
  oracle: {depth: 2, seeds: 2, seeds_per_task: 2}
  grid: null
"""


@dataclasses.dataclass
class StudyPlace:
    """A workspace with a tiny study in it."""

    root: Path
    lines: list[str] = dataclasses.field(default_factory=list)

    def __post_init__(self):
        self.root.mkdir(parents=True, exist_ok=True)
        self.config = self.root / "section.yml"
        self.file = self.root / "study.yml"
        self.config.write_text(SECTION, encoding="utf-8")
        self.file.write_text(STUDY, encoding="utf-8")

    def edit(self, old, new):
        for path in (self.config, self.file):
            text = path.read_text(encoding="utf-8")
            if old in text:
                path.write_text(text.replace(old, new), encoding="utf-8")
                return
        raise AssertionError(f"{old} is in neither file")

    @property
    def spec(self) -> StudySpec:
        return load_study(self.file)

    @property
    def folder(self) -> StudyFolder:
        return StudyFolder.of(self.root, "tiny")

    @property
    def flags(self):
        return ["--workspace", str(self.root), "--study", str(self.file)]


@pytest.fixture
def place(tmp_path):
    return StudyPlace(tmp_path / "work space")
