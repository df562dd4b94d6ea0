"""Sessions in a temporary folder: a plan, a movable clock, and checkpoints that are no more than files."""

import io
import json
import re
from dataclasses import dataclass, field
from pathlib import Path

from stable_baselines3.common.callbacks import BaseCallback

from tests.training.worlds import gym_factory, section_config
from validation_ch7.session import (
    PLAN_NAME,
    SessionPlan,
    SummaryStatus,
    read_output_manifest,
    read_summary,
    write_document,
)
from validation_ch7.training.learner import Learnt
from validation_ch7.training.run_session import run_session
from validation_ch7.training.surroundings import Surroundings

SECTION = "section_7_6_rl_performance"


class Reached(Exception):
    def __init__(self, status):
        self.status = status


class Watch(BaseCallback):
    """Stops at a rollout start, as the real one does."""

    def __init__(self, learner, job):
        super().__init__()
        self.learner, self.job = learner, job

    def _on_rollout_start(self):
        self.learner.at_rollout(self.model)
        self.learner.save(self.model, self.job.callbacks)
        if self.job.should_stop():
            raise Reached(SummaryStatus.INTERRUPTED)
        if self.job.clock() >= self.job.deadline_s:
            raise Reached(SummaryStatus.STOPPED_AT_DEADLINE)
        if self.model.num_timesteps >= self.job.stop_at:
            raise Reached(SummaryStatus.COMPLETED)

    def _on_step(self):
        return True


class FolderLearner:
    """Keeps checkpoints as plain SB3 zips and the state of callbacks as JSON; resumes weights and counters."""

    def __init__(self, root, prefix):
        self.folder, self.prefix, self.job = root / "checkpoints", prefix, None
        self.best = root / "best_model" / "best_model.json"

    def at_rollout(self, model):
        """What a test wants to happen there."""

    def path(self, steps, suffix="zip"):
        return self.folder / f"{self.prefix}_checkpoint_{steps}_steps.{suffix}"

    def newest_steps(self):
        names = [re.fullmatch(r".*_checkpoint_(\d+)_steps\.zip", path.name) for path in self.folder.glob("*.zip")]
        return max((int(match[1]) for match in names if match), default=None)

    def save(self, model, callbacks):
        self.folder.mkdir(parents=True, exist_ok=True)
        model.save(self.path(model.num_timesteps))
        states = [item.get_state() for item in callbacks]
        self.path(model.num_timesteps, "json").write_text(json.dumps(states))

    def learn(self, model, job):
        self.job = job
        before = self.newest_steps() or 0
        if before:
            model.set_parameters(self.path(before))
            model.num_timesteps = before
            for item, state in zip(job.callbacks, json.loads(self.path(before, "json").read_text()), strict=True):
                item.init_callback(model)
                item.set_state(state)
        if before >= job.stop_at:
            return Learnt(SummaryStatus.ALREADY_COMPLETE, before, before, resumed_from=self.path(before).name)
        status = SummaryStatus.COMPLETED
        callbacks = [*job.callbacks, Watch(self, job)]
        try:
            model.learn(job.target_steps - before, callbacks, reset_num_timesteps=False)
            self.save(model, job.callbacks)
        except Reached as reached:
            status = reached.status
        resumed = self.path(before).name if before else None
        return Learnt(status, before, model.num_timesteps, resumed_from=resumed)

    def best_metrics(self):
        return json.loads(self.best.read_text()) if self.best.exists() else None

    def save_best(self, model, metrics):
        self.best.parent.mkdir(parents=True, exist_ok=True)
        self.best.write_text(json.dumps(dict(metrics) | {"steps": model.num_timesteps}))


@dataclass
class Scene:
    """A folder in which sessions run."""

    root: Path
    learner: type = FolderLearner
    clock: object = lambda: 0.0
    console: io.StringIO = field(default_factory=io.StringIO)
    make_env: object = gym_factory("CartPole-v1")
    check: object = lambda environment: None
    now: float = 1_700_000_000.0

    @property
    def outputs(self):
        return self.root / "working" / SECTION

    @property
    def tree(self):
        return self.outputs / "data" / "models"

    @property
    def summary(self):
        return read_summary(self.outputs)

    @property
    def manifest(self):
        return read_output_manifest(self.outputs)

    @property
    def log(self):
        return (self.outputs / "session.log").read_text(encoding="utf-8")

    def run(self, *, config=None, inputs=None, **plan):
        config = config or section_config(evaluation={"freq": 64, "episodes": 2})
        told = {"session_id": "s1", "stop_at": 128, "target_steps": 256, "limit_s": 1000.0} | plan
        document = SessionPlan(section=SECTION, scenario=config.scenario, config=config.plain(), **told)
        write_document(self.root / PLAN_NAME, document)
        inputs = inputs or self.root / "inputs"
        inputs.mkdir(exist_ok=True)
        self.now += 60
        around = Surroundings(
            clock=self.clock,
            now=lambda: self.now,
            started=0.0,
            make_env=self.make_env,
            check=self.check,
            open_learner=self.learner,
            console=self.console,
        )
        return run_session(self.root / PLAN_NAME, inputs, self.root / "working", {"python": "3.11"}, around)
