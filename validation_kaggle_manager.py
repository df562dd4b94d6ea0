"""Chains of bounded sessions: plan, bundle, push, monitor, download, restore, report; then again.

``ValidationKaggleManager`` joins the backend, where sessions run, with the checkpoints, which carry training
from one session to the next; it is the only place that knows both. Every step is written to the journal
before it is taken, so a manager that was killed is simply run again: it finds the session it had started,
finishes it, and starts no second one.
"""

from __future__ import annotations

import os
import signal
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path

from validation_ch7.checkpoints import CheckpointStore, Retention
from validation_ch7.checkpoints.admission import Admission, admit
from validation_ch7.checkpoints.archive import read_archive
from validation_ch7.checkpoints.backup import FRESH, archive_all
from validation_ch7.checkpoints.compatibility import CompatibilityReport, report
from validation_ch7.checkpoints.planning import Choice, bundle_files, choose_parent, origin_of, plan_parent
from validation_ch7.config import Overrides, SectionConfig, load_notify, load_section, section_file
from validation_ch7.console import Console
from validation_ch7.errors import (
    BackendError,
    ConfigurationError,
    InterruptedRunError,
    RefusedError,
    SessionFailedError,
    SessionGoneError,
    ValidationError,
)
from validation_ch7.files import commit_json, make_folder, storage_errors
from validation_ch7.journal import Journal, JournalEntry, Phase
from validation_ch7.notify import Notifier, make_notifier
from validation_ch7.planning import (
    RunOptions,
    broken_off,
    describe_plan,
    first_entry,
    fresh_command,
    plan_session,
    same_place,
    session_limit,
)
from validation_ch7.remote.attend import attend, pause_until, slices
from validation_ch7.remote.backend import Backend, FetchReport, SessionRef
from validation_ch7.remote.choice import backend_of_session, choose_backend
from validation_ch7.remote.progress import OnProgress
from validation_ch7.remote.request import prepare
from validation_ch7.schema import parse_document
from validation_ch7.section_run import (
    SectionRun,
    concluded,
    end_of_log,
    goes_on,
    joined,
    judge,
    planned,
    stopped_between,
)
from validation_ch7.session import SessionPlan, SessionSummary, logs_tree, read_summary, training_tree
from validation_ch7.training.facts import current_facts
from validation_ch7.training.logs import join_logs
from validation_ch7.training.signals import StopRequest, stop_requests

TAG = "[CHECKPOINT]"
OUTPUT = "validation_output"


class ValidationKaggleManager:
    """Runs sections as chains of sessions on a backend.

    Args:
        workspace: folder under which training tree and outputs live.
        backend: ``auto``, ``local``, ``kaggle``, ``ray``, or a backend.
        say: receives one line of text at a time.
        clock: the time of now [s since the epoch].
        sleep: waits so long [s].
        environ: environment variables; credentials are looked for there.
        notifier: who is told what happens; default: whom environment and configuration name.
        on_progress: told how far uploads and downloads are; must be quick.
        title: of its sessions on a service, where chains of one scenario run side by side.
    """

    def __init__(
        self,
        workspace: str | Path = ".",
        backend: str | Backend = "auto",
        *,
        say: Callable[[str], None] | None = None,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
        environ: Mapping[str, str] | None = None,
        notifier: Notifier | None = None,
        on_progress: OnProgress | None = None,
        title: str | None = None,
    ) -> None:
        self.workspace = Path(workspace).resolve()
        self.say = say or Console().say
        self._environ = dict(os.environ if environ is None else environ)
        self._clock, self._sleep, self._on_progress, self._title = clock, sleep, on_progress, title
        self._asked = backend if isinstance(backend, str) else "auto"
        self._given_notifier, self.notifier = notifier, notifier or Notifier()
        if isinstance(backend, str):
            chosen = choose_backend(backend, self.workspace, self._environ, on_progress)
            self.backend, self.backend_reason = chosen
        else:
            self.backend, self.backend_reason = backend, f"{backend.name}: given"
        self.journal = Journal(self.workspace / OUTPUT / "sessions", clock)

    def run_validation_section(
        self,
        section: str = "section_7_6_rl_performance",
        *,
        quick: bool = False,
        scenario: str | None = None,
        algorithm: str | None = None,
        timesteps: int | None = None,
        session_timesteps: int | None = None,
        session_hours: float | None = None,
        seed: int | None = None,
        max_sessions: int = 1,
        fresh: bool = False,
        trust_foreign: bool = False,
        wait: bool = False,
        relay: bool = False,
        config: str | Path | None = None,
        dry_run: bool = False,
    ) -> SectionRun:
        """Train a section towards its target and restore what each session left.

        Args:
            quick: the same training, with a small limit for this session and a short evaluation.
            timesteps: cumulative target of the chain.
            session_timesteps: limit of one session.
            session_hours: wall time of one session [h].
            max_sessions: sessions at most; the chain ends earlier when the target is reached.
            fresh: archive the checkpoints that are there and start at zero.
            wait: whether to wait when the backend refuses for quota or capacity, or to give up.
            relay: on Kaggle, let two kernels read each other's output, so that checkpoints are not uploaded.
            dry_run: plan only; nothing is written or started.

        Raises:
            ValidationError: nothing could be started; each kind has its exit code.
        """
        if max_sessions < 1:
            raise ConfigurationError("At least one session is needed.", where="max_sessions", found=max_sessions)
        flags: dict[str, object] = {"scenario": scenario, "algorithm": algorithm, "timesteps": timesteps, "seed": seed}
        flags |= {"session_timesteps": session_timesteps, "session_hours": session_hours}
        overrides = parse_document(Overrides, flags, "flags", remedy="correct the flags named above")
        path = Path(config) if config else section_file(section)
        place = same_place(self._asked, self.workspace, flags | {"config": config, "relay": relay})
        options = RunOptions(quick, max_sessions, fresh, trust_foreign, wait, relay, place)
        resolved = load_section(path, overrides)
        store = self.store(resolved)
        if dry_run:
            return self._dry_run(resolved, options, store)
        self.notifier = self._given_notifier or make_notifier(self._environ, load_notify(path), self.say)

        def train() -> SectionRun:
            with store.exclusive(f"manager of {resolved.section}"), stop_requests() as stop:
                return self._chain(resolved, options, store, stop)

        return self.notifier.following(train)

    def store(self, config: SectionConfig) -> CheckpointStore:
        """Return the training tree of a section's scenario: the one place that training reads and restore writes."""
        base = self.workspace / "validation_ch7" / config.section
        return CheckpointStore(training_tree(base, config.scenario, config.default_scenario), config.scenario)

    def _chain(
        self, config: SectionConfig, options: RunOptions, store: CheckpointStore, stop: StopRequest
    ) -> SectionRun:
        self.say(f"Backend {self.backend.name} ({self.backend_reason}); workspace {self.workspace}")
        runs = self._finish_earlier(config, options, store, stop)
        if options.fresh:
            self._archive(config, store)
            options = replace(options, fresh=False)
        more = len(runs) < options.max_sessions and (not runs or goes_on(runs, store.newest_steps() or 0))
        while more and not stop():
            runs.append(self._admitted(config, options, store, stop))
            more = len(runs) < options.max_sessions and goes_on(runs, store.newest_steps() or 0)
        by_ctrl_c = stop.received is signal.SIGINT
        if runs:
            for line in end_of_log(runs[-1]):
                self.say(line)
            return stopped_between(joined(runs), by_ctrl_c) if more and stop() else joined(runs)
        if by_ctrl_c:
            raise KeyboardInterrupt
        raise InterruptedRunError("Stopped before a session was started.", remedy="run the same command again")

    def _finish_earlier(
        self, config: SectionConfig, options: RunOptions, store: CheckpointStore, stop: StopRequest
    ) -> list[SectionRun]:
        """Finish what a killed manager left; return the runs that stand for sessions of this call."""
        counted = []
        for entry in reversed(self.journal.unfinished(config.section, config.scenario)):
            backend, given = self.backend, (self.workspace, self._environ, self._on_progress)
            if entry.backend != backend.name:
                backend = backend_of_session(entry.backend, entry.session_id, *given)
            ref = reference(entry) if entry.ref else backend.find(entry.session_id)
            if ref is None:
                self.journal.advance(entry.session_id, Phase.FAILED, "the backend never received it")
                continue
            self.say(f"Session {entry.session_id} was left unfinished ({entry.phase}); attaching to {ref.kernel_slug}")
            if entry.ref is None:
                entry = self.journal.advance(entry.session_id, Phase.SUBMITTED, ref=asdict(ref))
            try:
                run = self._follow(config, store, backend, entry, ref, stop)
            except SessionGoneError as fault:  # else this session would stand in the way for ever
                self.journal.advance(entry.session_id, Phase.FAILED, "its results are gone", error=fault.what)
                self.say(f"[SESSION] ✗ {fault.what} The last checkpoint that was restored holds: {fault.where}")
                continue
            if run.success and entry.quick == options.quick and not options.fresh:
                counted.append(run)
        return counted

    def _admitted(
        self, config: SectionConfig, options: RunOptions, store: CheckpointStore, stop: StopRequest
    ) -> SectionRun:
        """Run one session; where the backend has no room now and ``wait`` was asked for, wait until it has."""
        while True:
            try:
                return self._session(config, options, store, stop)
            except RefusedError as refusal:
                if not options.wait:
                    raise
                seconds = pause_until(refusal.retry_at, self._clock())
                self.say(f"{refusal.what} Waiting {seconds / 60:.0f} min, then trying again")
                for part in slices(seconds):
                    if stop():
                        raise
                    self._sleep(part)

    def _archive(self, config: SectionConfig, store: CheckpointStore) -> None:
        backup = archive_all(store, FRESH)
        logs = logs_tree(self.workspace / "validation_ch7" / config.section, config.scenario)
        if backup is not None and logs.is_dir():
            with storage_errors(logs):
                logs.rename(backup.path / "logs")
        kept = f"{len(backup.files)} file(s) archived in {backup.path}" if backup else "there was nothing to archive"
        self.say(f"{TAG} --fresh: {kept}; starting at step 0")

    def _session(
        self, config: SectionConfig, options: RunOptions, store: CheckpointStore, stop: StopRequest
    ) -> SectionRun:
        """Plan, bundle, push, and follow one session."""
        choice = plan_parent(store, current_facts(config), self.say, fresh_command(options))
        parent = choice.parent
        session_id = f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime(self._clock()))}-{uuid.uuid4().hex[:6]}"
        last = self.journal.latest(config.section, config.scenario)
        origin = origin_of(parent)
        plan = plan_session(config, options, origin, last, session_id, self.backend.name == "local")
        if broken_off(config, options, origin.steps, last) is not None:
            self.say(f"The session before did not reach its end at step {plan.stop_at:,}; this one goes on to there")
        limit = session_limit(config, options)
        self.journal.record(first_entry(plan, origin, self.backend.name, self.journal.now(), limit))
        for line in (*config.describe(), *describe_plan(plan, origin, config.training.algorithm)):
            self.say(line)
        commit_json(make_folder(self.workspace / OUTPUT / "configs") / f"{session_id}.json", config.plain())
        try:
            ref = self._push(plan, bundle_files(store, parent, plan.trust_foreign), options.relay)
        except ValidationError as fault:
            known = self.journal.get(session_id)
            sent = known is not None and known.phase is Phase.SUBMITTING and not isinstance(fault, RefusedError)
            if not sent:  # else the answer may be lost and the session running: the next run asks for it
                self.journal.advance(session_id, Phase.FAILED, "not started", error=fault.what)
            raise
        entry = self.journal.advance(session_id, Phase.SUBMITTED, ref=asdict(ref), kernel_slug=ref.kernel_slug)
        run = self._follow(config, store, self.backend, entry, ref, stop)
        return replace(run, warnings=(*choice.warnings, *run.warnings))

    def _push(self, plan: SessionPlan, files: dict[str, Path], relay: bool) -> SessionRef:
        self.journal.advance(plan.session_id, Phase.BUNDLED)
        code_root = Path(__file__).resolve().parent
        output, title = self.workspace / OUTPUT, self._title
        request = prepare(self.backend, plan, files, code_root, output, relay=relay, title=title)
        self.journal.advance(plan.session_id, Phase.SUBMITTING)
        return self.backend.submit(request)

    def _follow(
        self,
        config: SectionConfig,
        store: CheckpointStore,
        backend: Backend,
        entry: JournalEntry,
        ref: SessionRef,
        stop: StopRequest,
    ) -> SectionRun:
        """Monitor a session to its end, then download and restore, whatever the end was."""
        limit_s, tools = config.session.hours * 3600, (self._clock, self._sleep, self.say)
        status = attend(backend, ref, limit_s, stop, *tools)
        self.journal.advance(entry.session_id, Phase.FINISHED, status.message, status=status.state.value)
        fetched = self.download_results(ref, backend=backend)
        self.journal.advance(entry.session_id, Phase.DOWNLOADED, results_dir=str(fetched.folder))
        admission = self._restore(config, store, fetched)
        summary = self._retrieve_and_analyze_logs(fetched, config.section)
        ending = judge(status.state, status.message, summary, fetched.complete, stop.received is signal.SIGINT, stop())
        run = concluded(entry, ref.kernel_slug, ending, summary, admission.tree(store), str(fetched.folder))
        self.journal.advance(
            entry.session_id,
            Phase.RESTORED,
            restored_files=run.restored_files,
            steps_after=run.steps_after,
            error=run.error,
            status=run.status,
        )
        self.journal.advance(entry.session_id, Phase.CLOSED)
        best = store.best()
        self.notifier.session_over(run, best.reward if best else None, admission.misfits)
        return run

    def download_results(self, kernel: SessionRef | str, *, backend: Backend | None = None) -> FetchReport:
        """Bring the outputs of a session into ``validation_output/results/<owner>_<kernel>/``, verified.

        Args:
            kernel: a session's reference, or its id, or its kernel slug.
        """
        ref = kernel if isinstance(kernel, SessionRef) else reference(self.journal.submitted(kernel))
        target = self.workspace / OUTPUT / "results" / ref.results_name
        fetched = (backend or self.backend).fetch(ref, target)
        state = "complete" if fetched.complete else "without a complete output manifest"
        self.say(f"[DOWNLOAD] {len(fetched.files)} file(s) in {fetched.folder}, {state}")
        for fault in fetched.faults:
            self.say(f"[DOWNLOAD] ✗ {fault}")
        if fetched.unreachable:
            raise BackendError(
                "Some results could not be brought now; they are kept where they are.",
                where=ref.kernel_slug,
                found=fetched.faults[0],
                remedy="run the same command again: it brings only what is missing",
            )
        return fetched

    def _retrieve_and_analyze_logs(self, fetched: FetchReport, section: str) -> SessionSummary | None:
        """Return the summary that the session left, or None; a log line alone never counts as success."""
        try:
            summary = read_summary(fetched.folder / section)
        except SessionFailedError as fault:
            self.say(f"[SESSION] ✗ {fault.what} {fault.found}")
            return None
        if summary is None:
            self.say("[SESSION] ✗ The session left no summary: it was killed before its end")
        elif summary.error:
            self.say(f"[SESSION] ✗ {summary.error}")
        return summary

    def _restore_checkpoints_for_next_run(self, kernel: SessionRef | str, config: SectionConfig) -> Admission:
        """Restore the results of a session that were downloaded before into the training tree."""
        ref = kernel if isinstance(kernel, SessionRef) else reference(self.journal.submitted(kernel))
        folder, store = self.workspace / OUTPUT / "results" / ref.results_name, self.store(config)
        with store.exclusive(f"restoring {ref.kernel_slug}"):
            return self._restore(config, store, FetchReport(folder, (), complete=False))

    def _restore(self, config: SectionConfig, store: CheckpointStore, fetched: FetchReport) -> Admission:
        if not config.trains:
            self.say(f"{TAG} Section {config.section} does not train: nothing to restore, step skipped")
            return Admission((), (), None, None, None)
        base = fetched.folder / config.section
        source = CheckpointStore(training_tree(base, config.scenario, config.default_scenario), config.scenario)
        admission = admit(store, source, Retention.of(config.checkpoints), self.say, current_facts(config))
        join_logs(
            logs_tree(base, config.scenario),
            logs_tree(self.workspace / "validation_ch7" / config.section, config.scenario),
        )
        return admission

    def _validate_checkpoint_compatibility(self, checkpoint: str | Path, config: SectionConfig) -> CompatibilityReport:
        """Compare a checkpoint with the present configuration; truthy when it can be resumed.

        Raises:
            CheckpointError: it cannot be read.
        """
        return report(read_archive(Path(checkpoint)).manifest, current_facts(config))

    def _dry_run(self, config: SectionConfig, options: RunOptions, store: CheckpointStore) -> SectionRun:
        """Say what a run would do; nothing is written, moved or started."""
        self.say(f"Backend {self.backend.name} ({self.backend_reason}); workspace {self.workspace}")
        command = fresh_command(options)
        choice = Choice() if options.fresh else choose_parent(store, current_facts(config), self.say, command)
        origin, last = origin_of(choice.parent), self.journal.latest(config.section, config.scenario)
        plan = plan_session(config, options, origin, last, "dry-run", self.backend.name == "local")
        for line in describe_plan(plan, origin, config.training.algorithm):
            self.say(line)
        self.say("Dry run: nothing was written or started")
        warnings = (*choice.warnings, *choice.notes)
        return planned(plan, self.backend.name, origin.steps, origin.name, str(store.root), warnings)


def reference(entry: JournalEntry) -> SessionRef:
    """Return the backend's reference of a session that was submitted."""
    return SessionRef(**entry.ref)  # type: ignore[arg-type]
