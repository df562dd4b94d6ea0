"""The training of one session: admit the parent, build, learn to the limit, judge."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch as th
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.vec_env import VecEnv

from validation_ch7.config import SectionConfig
from validation_ch7.errors import ValidationError
from validation_ch7.session import SessionPlan, SessionSummary, SummaryStatus, logs_tree, training_tree
from validation_ch7.training.admission import admit_parent
from validation_ch7.training.algorithms import build_training
from validation_ch7.training.evaluation import EvaluationCallback, EvaluationResult, evaluate
from validation_ch7.training.learner import PROVISIONAL, Learner, LearnJob, Learnt, best_line, replaces_best
from validation_ch7.training.logs import CurveCallback, SessionLogger, log_interval
from validation_ch7.training.progress import ProgressCallback, choose_display
from validation_ch7.training.seeds import held_out_seeds
from validation_ch7.training.surroundings import Surroundings


@dataclass(frozen=True)
class Apparatus:
    """A model, and what watches it."""

    model: BaseAlgorithm
    logger: SessionLogger
    evaluation: EvaluationCallback
    curve: CurveCallback
    progress: ProgressCallback


class Training:
    """The training of one session.

    Args:
        plan: what the session is told.
        inputs: the parent's training tree.
        folder: the section's folder, where everything is left.
        log: takes lines.
        should_stop: whether a signal asked to stop.
        around: clocks, console, environments and checkpoints.
        started: wall time of the start, UTC, ISO 8601.
    """

    def __init__(
        self,
        plan: SessionPlan,
        inputs: Path,
        folder: Path,
        log: Callable[[str], None],
        should_stop: Callable[[], bool],
        around: Surroundings,
        started: str,
    ) -> None:
        self._plan, self._inputs, self._folder = plan, inputs, folder
        self._log, self._should_stop, self._around, self._started = log, should_stop, around, started
        self._began_s = around.start()
        self._learner: Learner | None = None
        self._steps_before = 0
        self._device = "none"

    def run(self) -> SessionSummary:
        """Train to the session's limit and return what happened.

        Raises:
            ValidationError: the configuration, the parent or the disk does not allow it.
        """
        config = SectionConfig.from_plain(self._plan.config, "the session's plan: config")
        tree = training_tree(self._folder, config.scenario, config.default_scenario)
        learner = self._learner = self._around.open_learner(tree, config.scenario)
        self._around.check(config.environment)
        parent = admit_parent(self._inputs, tree, learner, self._plan.parent)
        self._steps_before = learner.newest_steps() or 0
        with self._apparatus(config, learner) as apparatus:
            learnt = learner.learn(apparatus.model, self._job(config, apparatus, parent))
            apparatus.progress.finish()
            metrics = self._judged(config, learner, apparatus, learnt)
        return self._summary(learnt, metrics)

    def failed(self, error: str) -> SessionSummary:
        """Return the summary of a failure: the steps are those that a checkpoint holds."""
        with contextlib.suppress(ValidationError):
            steps = (self._learner.newest_steps() if self._learner else None) or self._steps_before
            return self._described(SummaryStatus.FAILED, self._steps_before, steps, error=error)
        return self._described(SummaryStatus.FAILED, self._steps_before, self._steps_before, error=error)

    def facts(self) -> dict[str, str]:
        """Return what the training knows of the machine."""
        cuda = th.cuda.get_device_name() if th.cuda.is_available() else "none"
        return {"torch": th.__version__, "cuda": cuda, "threads": str(th.get_num_threads())}

    @contextlib.contextmanager
    def _apparatus(self, config: SectionConfig, learner: Learner) -> Iterator[Apparatus]:
        plan, around = self._plan, self._around
        model = build_training(config, around.make_env)
        self._device = str(model.device)
        with contextlib.ExitStack() as closing:
            if model.env is not None:
                closing.callback(model.env.close)
            logger = SessionLogger(logs_tree(self._folder, config.scenario) / plan.session_id, plan.session_id)
            closing.callback(logger.close)
            model.set_logger(logger)
            evaluation = EvaluationCallback(
                lambda judged: self._evaluate(config, judged, config.evaluation.episodes),
                config.evaluation.freq,
                lambda judged, metrics, steps: self._keep_best(learner, judged, metrics, steps),
            )
            display = choose_display(self._log, around.clock, around.console)
            closing.callback(display.close)
            progress = ProgressCallback(display, plan.stop_at, around.clock)
            curve = CurveCallback(logger.curve, self._started)
            for callback in (evaluation, curve, progress):  # needed where nothing is left to learn
                callback.init_callback(model)
            yield Apparatus(model, logger, evaluation, curve, progress)

    def _job(self, config: SectionConfig, apparatus: Apparatus, parent: str | None) -> LearnJob:
        plan = self._plan
        return LearnJob(
            session_id=plan.session_id,
            stop_at=plan.stop_at,
            target_steps=plan.target_steps,
            checkpoints=config.checkpoints,
            deadline_s=self._began_s + plan.limit_s - plan.margin_s,
            clock=self._around.clock,
            should_stop=self._should_stop,
            callbacks=(apparatus.evaluation, apparatus.curve, apparatus.progress),
            environment=config.environment_facts(),
            expected_parent=parent,
            log=self._log,
            metrics=apparatus.evaluation.latest_metrics,
            log_interval=log_interval(apparatus.model),
            trust_foreign=plan.trust_foreign,
        )

    def _evaluate(self, config: SectionConfig, model: BaseAlgorithm, episodes: int) -> EvaluationResult:
        def held_out() -> VecEnv:
            return self._around.make_env(config.environment, held_out_seeds(config.evaluation.seed, episodes))

        return evaluate(model, held_out)

    def _keep_best(self, learner: Learner, model: BaseAlgorithm, metrics: Mapping[str, float], steps: int) -> None:
        before = learner.best_metrics()
        if replaces_best(before, metrics):
            learner.save_best(model, metrics)
            self._log(f"[TRAINING] {best_line(before, metrics, steps)}")

    def _judged(
        self, config: SectionConfig, learner: Learner, apparatus: Apparatus, learnt: Learnt
    ) -> dict[str, float]:
        """Evaluate at the end of the session, if there is time for it, and return the metrics.

        The end of the chain is a moment of evaluation for every cutting into sessions. The end of a session
        is not: what is found there is reported, and is the best model only until there is a regular one.
        """
        if learnt.status is SummaryStatus.INTERRUPTED or self._out_of_time():
            self._log("[TRAINING] no time for a last evaluation")
            return {}
        evaluation, model = apparatus.evaluation, apparatus.model
        if learnt.steps_after >= self._plan.target_steps:
            if evaluation.last_step != learnt.steps_after:
                evaluation.judge_now()
            return evaluation.latest_metrics()
        episodes = config.evaluation.quick_episodes if self._plan.quick else config.evaluation.episodes
        metrics = self._evaluate(config, model, episodes).metrics()
        if evaluation.best is None:
            self._keep_best(learner, model, metrics | {PROVISIONAL: 1.0}, learnt.steps_after)
        return metrics

    def _out_of_time(self) -> bool:
        return self._around.clock() >= self._began_s + self._plan.limit_s

    def _summary(self, learnt: Learnt, metrics: Mapping[str, float]) -> SessionSummary:
        finite = {name: value for name, value in metrics.items() if math.isfinite(value)}
        summary = self._described(learnt.status, learnt.steps_before, learnt.steps_after)
        return summary.model_copy(
            update={
                "resumed_from": learnt.resumed_from,
                "exactness": learnt.exactness,
                "mean_reward": finite.get("mean_reward"),
                "metrics": finite,
                "warnings": list(learnt.warnings),
            }
        )

    def _described(
        self, status: SummaryStatus, steps_before: int, steps_after: int, error: str | None = None
    ) -> SessionSummary:
        plan = self._plan
        return SessionSummary(
            session_id=plan.session_id,
            section=plan.section,
            scenario=plan.scenario,
            status=status,
            steps_before=steps_before,
            steps_after=steps_after,
            stop_at=plan.stop_at,
            target_steps=plan.target_steps,
            device=self._device,
            error=error,
        )
