"""One session's way, from its plan to the closed entry of the journal: bundle, push, follow, download, restore.

Every step is written to the journal before it is taken, so that whoever comes after a kill, be it the next run,
``attach`` or a handle in another process, goes on from where the last one came to. Whoever takes a step holds
the lock of the training tree; looking at a session needs none.
"""

from __future__ import annotations

import signal
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from validation_ch7.checkpoints import CheckpointStore, Retention
from validation_ch7.checkpoints.admission import Admission, admit
from validation_ch7.checkpoints.planning import bundle_files, origin_of, plan_parent
from validation_ch7.config import SectionConfig
from validation_ch7.errors import BackendError, RefusedError, SessionFailedError, ValidationError, WorkspaceError
from validation_ch7.files import commit_json, make_folder
from validation_ch7.journal import Journal, JournalEntry, Phase
from validation_ch7.notify import Notifier
from validation_ch7.planning import (
    RunOptions,
    broken_off,
    describe_plan,
    first_entry,
    fresh_command,
    plan_session,
    session_limit,
)
from validation_ch7.remote.backend import Backend, FetchReport, SessionRef, SessionStatus
from validation_ch7.remote.choice import backend_of_session
from validation_ch7.remote.progress import OnProgress
from validation_ch7.remote.request import prepare
from validation_ch7.schema import load_json
from validation_ch7.section_run import SectionRun, concluded, judge
from validation_ch7.session import SessionPlan, SessionSummary, logs_tree, read_summary, training_tree
from validation_ch7.training.facts import current_facts
from validation_ch7.training.logs import join_logs
from validation_ch7.training.signals import StopRequest

TAG = "[CHECKPOINT]"
OUTPUT = "validation_output"
_CODE_ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Conductor:
    """Takes sessions of a workspace through their steps.

    Args:
        backend: where new sessions run; those of the journal may have run elsewhere.
        environ: environment variables; credentials are looked for there.
        clock: the time of now [s since the epoch].
        on_progress: told how far transfers are of sessions that ran elsewhere.
        title: of its sessions on a service; default: section and scenario.
    """

    workspace: Path
    journal: Journal
    backend: Backend
    environ: Mapping[str, str]
    say: Callable[[str], None]
    clock: Callable[[], float]
    notifier: Notifier
    on_progress: OnProgress | None = None
    title: str | None = None

    def store(self, config: SectionConfig) -> CheckpointStore:
        """Return the training tree of a section's scenario: the one place that training reads and restore writes."""
        base = self.workspace / "validation_ch7" / config.section
        return CheckpointStore(training_tree(base, config.scenario, config.default_scenario), config.scenario)

    def start(
        self, config: SectionConfig, options: RunOptions, store: CheckpointStore, *, detached: bool = False
    ) -> tuple[JournalEntry, tuple[str, ...]]:
        """Plan, bundle and push one session; return its entry and the warnings of the plan.

        Args:
            detached: whether a local session outlives a kill of its starter's process group.
        """
        choice = plan_parent(store, current_facts(config), self.say, fresh_command(options))
        session_id = f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime(self.clock()))}-{uuid.uuid4().hex[:6]}"
        last = self.journal.latest(config.section, config.scenario)
        origin = origin_of(choice.parent)
        plan = plan_session(config, options, origin, last, session_id, self.backend.name == "local")
        if broken_off(config, options, origin.steps, last) is not None:
            self.say(f"The session before did not reach its end at step {plan.stop_at:,}; this one goes on to there")
        limit = session_limit(config, options)
        commit_json(make_folder(self._config_path(session_id).parent) / f"{session_id}.json", config.plain())
        now = self.journal.now()
        self.journal.record(first_entry(plan, origin, self.backend.name, now, limit, options.chain))
        for line in (*config.describe(), *describe_plan(plan, origin, config.training.algorithm, last)):
            self.say(line)
        try:
            files = bundle_files(store, choice.parent, plan.trust_foreign)
            ref = self._push(plan, files, options.relay, detached)
        except ValidationError as fault:
            known = self.journal.get(session_id)
            sent = known is not None and known.phase is Phase.SUBMITTING and not isinstance(fault, RefusedError)
            if not sent:  # else the answer may be lost and the session running: the next run asks for it
                self.journal.advance(session_id, Phase.FAILED, "not started", error=fault.what)
            raise
        entry = self.journal.advance(session_id, Phase.SUBMITTED, ref=asdict(ref), kernel_slug=ref.kernel_slug)
        return entry, choice.warnings

    def _push(self, plan: SessionPlan, files: dict[str, Path], relay: bool, detached: bool) -> SessionRef:
        self.journal.advance(plan.session_id, Phase.BUNDLED)
        output = self.workspace / OUTPUT
        request = prepare(self.backend, plan, files, _CODE_ROOT, output, relay=relay, title=self.title)
        self.journal.advance(plan.session_id, Phase.SUBMITTING)
        return self.backend.submit(replace(request, detached=detached))

    def backend_of(self, entry: JournalEntry) -> Backend:
        """Return the backend on which a session of the journal runs or ran."""
        if entry.backend == self.backend.name:
            return self.backend
        given = (self.workspace, self.environ, self.on_progress)
        return backend_of_session(entry.backend, entry.session_id, *given)

    def found_again(self, entry: JournalEntry) -> JournalEntry | None:
        """Return the entry with its reference, or None, and the session failed, where the backend never received it.

        Only whoever holds the lock may ask this: another process may be about to submit it.
        """
        if entry.ref:
            return entry
        ref = self.backend_of(entry).find(entry.session_id)
        if ref is None:
            self.journal.advance(entry.session_id, Phase.FAILED, "the backend never received it")
            return None
        return self.journal.advance(entry.session_id, Phase.SUBMITTED, ref=asdict(ref), kernel_slug=ref.kernel_slug)

    def config_of(self, entry: JournalEntry) -> SectionConfig:
        """Return the configuration that a session was started with.

        Raises:
            WorkspaceError: it cannot be read any more.
        """
        path = self._config_path(entry.session_id)
        return SectionConfig.from_plain(load_json(path, WorkspaceError), path)

    def _config_path(self, session_id: str) -> Path:
        return self.workspace / OUTPUT / "configs" / f"{session_id}.json"

    def bring(
        self,
        config: SectionConfig,
        store: CheckpointStore,
        entry: JournalEntry,
        status: SessionStatus,
        stop: StopRequest,
    ) -> SectionRun:
        """Download and restore a session that has ended, whatever the end was, and close its entry."""
        ref = reference(entry)
        self.journal.advance(entry.session_id, Phase.FINISHED, status.message, status=status.state.value)
        fetched = self.download(ref, self.backend_of(entry))
        self.journal.advance(entry.session_id, Phase.DOWNLOADED, results_dir=str(fetched.folder))
        admission = self.restore(config, store, fetched)
        summary = self.read_session(fetched, config.section)
        ending = judge(status.state, status.message, summary, fetched.complete, by_ctrl_c(stop), stop())
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

    def download(self, ref: SessionRef, backend: Backend) -> FetchReport:
        """Bring the outputs of a session into ``validation_output/results/<owner>_<kernel>/``, verified."""
        fetched = backend.fetch(ref, self.workspace / OUTPUT / "results" / ref.results_name)
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

    def read_session(self, fetched: FetchReport, section: str) -> SessionSummary | None:
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

    def restore(self, config: SectionConfig, store: CheckpointStore, fetched: FetchReport) -> Admission:
        """Admit the checkpoints and the logs that were downloaded into the training tree."""
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


def by_ctrl_c(stop: StopRequest) -> bool:
    """Return whether a request to stop came from the keyboard."""
    return stop.received is signal.SIGINT


def reference(entry: JournalEntry) -> SessionRef:
    """Return the backend's reference of a session that was submitted."""
    return SessionRef(**entry.ref)  # type: ignore[arg-type]
