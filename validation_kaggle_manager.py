"""Chains of bounded sessions: plan, bundle, push, monitor, download, restore, report; then again.

``ValidationKaggleManager`` decides what comes next in a chain; the ``Conductor`` takes each session through its
steps. Every step is written to the journal before it is taken, so a manager that was killed is simply run again:
it finds the session it had started, finishes it, and starts no second one.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Unpack

from validation_ch7.checkpoints import CheckpointStore
from validation_ch7.checkpoints.admission import Admission
from validation_ch7.checkpoints.archive import read_archive
from validation_ch7.checkpoints.backup import FRESH, archive_all
from validation_ch7.checkpoints.backup_limit import limit_backups
from validation_ch7.checkpoints.compatibility import CompatibilityReport, report
from validation_ch7.checkpoints.planning import Choice, choose_parent, origin_of
from validation_ch7.conductor import OUTPUT, TAG, Conductor, by_ctrl_c, reference
from validation_ch7.config import SectionConfig, known_sections, load_notify, section_file
from validation_ch7.errors import ConfigurationError, InterruptedRunError, RefusedError, SessionGoneError
from validation_ch7.files import storage_errors
from validation_ch7.handle import SessionHandle
from validation_ch7.journal import Journal, JournalEntry, Phase
from validation_ch7.live import say_for_people
from validation_ch7.notify import Notifier, make_notifier
from validation_ch7.notify_config import NotifyConfig
from validation_ch7.planning import RunOptions, describe_plan, fresh_command, plan_session
from validation_ch7.remote.attend import attend, pause_until, slices
from validation_ch7.remote.backend import Backend, FetchReport, SessionRef
from validation_ch7.remote.choice import choose_backend
from validation_ch7.remote.progress import OnProgress
from validation_ch7.request import Asked, read_request
from validation_ch7.section_run import SectionRun, end_of_log, goes_on, joined, planned, stopped_between
from validation_ch7.session import SessionSummary, logs_tree
from validation_ch7.training.facts import current_facts
from validation_ch7.training.signals import StopRequest, stop_requests

SECTION = "section_7_6_rl_performance"


class ValidationKaggleManager:
    """Runs sections as chains of sessions on a backend.

    Args:
        workspace: folder under which training tree and outputs live.
        backend: ``auto``, ``local``, ``kaggle``, ``ray``, or a backend.
        say: receives one line of text at a time; default: the console, in a notebook a display that renews itself.
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
        self.say = say or say_for_people()
        self._environ = dict(os.environ if environ is None else environ)
        self._clock, self._sleep, self._on_progress, self._title = clock, sleep, on_progress, title
        self._asked = backend if isinstance(backend, str) else "auto"
        self._given_notifier, self.notifier, self._told_whom = notifier, notifier or Notifier(), notifier is not None
        if isinstance(backend, str):
            chosen = choose_backend(backend, self.workspace, self._environ, on_progress)
            self.backend, self.backend_reason = chosen
        else:
            self.backend, self.backend_reason = backend, f"{backend.name}: given"
        self.journal = Journal(self.workspace / OUTPUT / "sessions", clock)

    def run_validation_section(
        self,
        section: str = SECTION,
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
        asked: dict[str, object] = {"scenario": scenario, "algorithm": algorithm, "timesteps": timesteps, "seed": seed}
        asked |= {"session_timesteps": session_timesteps, "session_hours": session_hours, "config": config}
        asked |= {"quick": quick, "fresh": fresh, "trust_foreign": trust_foreign, "wait": wait, "relay": relay}
        request = read_request(section, asked, self._asked, self.workspace, max_sessions)
        store = self.store(request.config)
        if dry_run:
            return self._dry_run(request.config, request.options, store)
        self._tell_whom(request.file)

        def train() -> SectionRun:
            with store.exclusive(f"manager of {section}"), stop_requests() as stop:
                return self._chain(request.config, request.options, store, stop)

        return self.notifier.following(train)

    def submit(self, section: str = SECTION, **asked: Unpack[Asked]) -> SessionHandle:
        """Start one session and return at once with a handle on it.

        A session of this chain that has ended meanwhile is brought first. One that still runs is not overtaken:
        its handle is returned instead.

        Raises:
            ValidationError: nothing could be started; each kind has its exit code.
        """
        request = read_request(section, asked, self._asked, self.workspace)
        store, conductor = self.store(request.config), self._conductor()
        self._tell_whom(request.file)
        with store.exclusive(f"submitting a session of {section}"):
            for entry in self._unfinished(request.config):
                if not conductor.backend_of(entry).status(reference(entry)).state.terminal:
                    self.say(f"Session {entry.session_id} of this chain still runs: this is its handle")
                    return self.session(entry.session_id)
                self._brought(request.config, store, entry, StopRequest())
            if request.options.fresh:
                self._archive(request.config, store)
            entry, _ = self._conductor().start(
                request.config, replace(request.options, fresh=False), store, detached=True
            )
        return self.session(entry.session_id)

    def session(self, session_id: str) -> SessionHandle:
        """Return a handle on a session of the journal, whoever started it, whenever that was.

        Raises:
            ConfigurationError: there is none of this name.
        """
        known = self.journal.get(session_id)
        if known is None:
            raise ConfigurationError(
                "There is no such session in this workspace.",
                where=self.journal.folder,
                expected="the id of a session",
                found=session_id,
                remedy="list them with: python -m validation_ch7 status",
            )
        if not self._told_whom:
            self._tell_whom(section_file(known.section) if known.section in known_sections() else None)
        return SessionHandle(self._conductor(), known, sleep=self._sleep)

    def store(self, config: SectionConfig) -> CheckpointStore:
        """Return the training tree of a section's scenario: the one place that training reads and restore writes."""
        return self._conductor().store(config)

    def _conductor(self) -> Conductor:
        given = (self.backend, self._environ, self.say, self._clock, self.notifier, self._on_progress, self._title)
        return Conductor(self.workspace, self.journal, *given)

    def _tell_whom(self, file: Path | None) -> None:
        self._told_whom, config = True, load_notify(file) if file is not None else NotifyConfig()
        self.notifier = self._given_notifier or make_notifier(self._environ, config, self.say)

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
        if runs:
            for line in end_of_log(runs[-1]):
                self.say(line)
            return stopped_between(joined(runs), by_ctrl_c(stop)) if more and stop() else joined(runs)
        if by_ctrl_c(stop):
            raise KeyboardInterrupt
        raise InterruptedRunError("Stopped before a session was started.", remedy="run the same command again")

    def _unfinished(self, config: SectionConfig) -> list[JournalEntry]:
        """Return the sessions that were left unfinished and are known to their backend, oldest first."""
        conductor = self._conductor()
        found = (
            conductor.found_again(entry) for entry in reversed(self.journal.unfinished(config.section, config.scenario))
        )
        return [entry for entry in found if entry is not None]

    def _finish_earlier(
        self, config: SectionConfig, options: RunOptions, store: CheckpointStore, stop: StopRequest
    ) -> list[SectionRun]:
        """Finish what a killed manager left; return the runs that stand for sessions of this call."""
        counted = []
        for entry in self._unfinished(config):
            self.say(f"Session {entry.session_id} was left unfinished; attaching to {reference(entry).kernel_slug}")
            run = self._brought(config, store, entry, stop)
            if run is not None and run.success and entry.quick == options.quick and not options.fresh:
                counted.append(run)
        return counted

    def _brought(
        self, config: SectionConfig, store: CheckpointStore, entry: JournalEntry, stop: StopRequest
    ) -> SectionRun | None:
        """Follow a session that was left and bring its results; None, and the session failed, where they are gone."""
        try:
            return self._follow(config, store, entry, stop)
        except SessionGoneError as fault:  # else this session would stand in the way for ever
            self.journal.advance(entry.session_id, Phase.FAILED, "its results are gone", error=fault.what)
            self.say(f"[SESSION] ✗ {fault.what} The last checkpoint that was restored holds: {fault.where}")
            return None

    def _admitted(
        self, config: SectionConfig, options: RunOptions, store: CheckpointStore, stop: StopRequest
    ) -> SectionRun:
        """Run one session; where the backend has no room now and ``wait`` was asked for, wait until it has."""
        while True:
            try:
                entry, warnings = self._conductor().start(config, options, store)
            except RefusedError as refusal:
                if not options.wait:
                    raise
                seconds = pause_until(refusal.retry_at, self._clock())
                self.say(f"{refusal.what} Waiting {seconds / 60:.0f} min, then trying again")
                for part in slices(seconds):
                    if stop():
                        raise
                    self._sleep(part)
            else:
                run = self._follow(config, store, entry, stop)
                return replace(run, warnings=(*warnings, *run.warnings))

    def _archive(self, config: SectionConfig, store: CheckpointStore) -> None:
        backup = archive_all(store, FRESH)
        logs = logs_tree(self.workspace / "validation_ch7" / config.section, config.scenario)
        if backup is not None and logs.is_dir():
            with storage_errors(logs):
                logs.rename(backup.path / "logs")
        limit_backups(store, config.checkpoints.backup_bytes)
        kept = f"{len(backup.files)} file(s) archived in {backup.path}" if backup else "there was nothing to archive"
        self.say(f"{TAG} --fresh: {kept}; starting at step 0")

    def _follow(
        self, config: SectionConfig, store: CheckpointStore, entry: JournalEntry, stop: StopRequest
    ) -> SectionRun:
        """Monitor a session to its end, then download and restore, whatever the end was."""
        conductor = self._conductor()
        backend, limit_s = conductor.backend_of(entry), config.session.hours * 3600
        tools = (self._clock, self._sleep, self.say)
        status = attend(backend, reference(entry), limit_s, stop, *tools, lambda: by_ctrl_c(stop))
        return conductor.bring(config, store, entry, status, stop)

    def download_results(self, kernel: SessionRef | str, *, backend: Backend | None = None) -> FetchReport:
        """Bring the outputs of a session into ``validation_output/results/<owner>_<kernel>/``, verified.

        Args:
            kernel: a session's reference, or its id, or its kernel slug.
        """
        ref = kernel if isinstance(kernel, SessionRef) else reference(self.journal.submitted(kernel))
        return self._conductor().download(ref, backend or self.backend)

    def _retrieve_and_analyze_logs(self, fetched: FetchReport, section: str) -> SessionSummary | None:
        """Return the summary that the session left, or None; a log line alone never counts as success."""
        return self._conductor().read_session(fetched, section)

    def _restore_checkpoints_for_next_run(self, kernel: SessionRef | str, config: SectionConfig) -> Admission:
        """Restore the results of a session that were downloaded before into the training tree."""
        ref = kernel if isinstance(kernel, SessionRef) else reference(self.journal.submitted(kernel))
        folder, store = self.workspace / OUTPUT / "results" / ref.results_name, self.store(config)
        with store.exclusive(f"restoring {ref.kernel_slug}"):
            return self._conductor().restore(config, store, FetchReport(folder, (), complete=False))

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
        for line in describe_plan(plan, origin, config.training.algorithm, last):
            self.say(line)
        self.say("Dry run: nothing was written or started")
        warnings = (*choice.warnings, *choice.notes)
        return planned(plan, self.backend.name, origin.steps, origin.name, str(store.root), warnings)
