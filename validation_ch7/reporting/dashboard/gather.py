"""From files to the dashboard's values; nothing is written, nothing is asked over a network."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from validation_ch7.checkpoints.inventory import Item, Kind
from validation_ch7.checkpoints.store import CheckpointStore
from validation_ch7.config import SectionConfig
from validation_ch7.console import harmless
from validation_ch7.journal import Journal, utc_text
from validation_ch7.remote.kaggle_quota import read_quota
from validation_ch7.reporting.curves import Curve, curve_of, curve_of_manifests, read_chain_rows, thin_curve
from validation_ch7.reporting.dashboard.checkpoint_rows import Inspector, Judgement, checkpoint_rows, unshared_bytes
from validation_ch7.reporting.dashboard.disk import measure_disk
from validation_ch7.reporting.dashboard.evidence import read_evidence
from validation_ch7.reporting.dashboard.log_tail import read_log_tail, running_logs
from validation_ch7.reporting.dashboard.session_rows import session_rows
from validation_ch7.reporting.dashboard.tidy import cleaned
from validation_ch7.reporting.dashboard.view import CheckpointRow, Dashboard, Disk, Quota, Summary
from validation_ch7.reporting.fit import find_fit
from validation_ch7.reporting.standing import PROGRAM, ChainStanding, SessionLine, quoted, read_standing
from validation_ch7.session import logs_tree

OUTPUT = "validation_output"
Configured = Callable[[str | None], SectionConfig]


@dataclass(frozen=True)
class Sources:
    """Where a dashboard's content lies.

    Attributes:
        workspace: the workspace, or None where there is only a store.
        configured: the configuration by algorithm; None where no section owns the store.
        flags: flags that the next command needs in order to mean the same chain.
    """

    store: CheckpointStore
    workspace: Path | None = None
    configured: Configured | None = None
    flags: tuple[str, ...] = ()

    @property
    def output(self) -> Path | None:
        """The workspace's outputs."""
        return self.workspace / OUTPUT if self.workspace else None


class Gatherer:
    """Gathers the dashboard again and again; what has not changed is not verified again.

    Args:
        verify: whether checkpoints are read whole and compared with the configuration.
        clock: the time of now [s since the epoch].
    """

    def __init__(self, sources: Sources, *, verify: bool = True, clock: Callable[[], float] = time.time) -> None:
        self._sources, self._clock = sources, clock
        self._inspector = Inspector(sources.store, verify=verify)
        configured = sources.configured if verify else None
        self._judge = Judgement(lambda manifest: find_fit(manifest, configured).report) if configured else None

    def gather(self) -> Dashboard:
        """Return the dashboard as things stand now.

        Raises:
            StorageError: a folder cannot be read.
        """
        now, sources = self._clock(), self._sources
        items = self._inspector.items()
        rows = checkpoint_rows(items, self._judge)
        disk = measure_disk(sources.store, sources.output, unshared_bytes(items))
        if sources.workspace is None or sources.configured is None:
            remembered = curve_of_manifests(item.manifest for item in items if item.manifest)
            view = Dashboard(utc_text(now), store_summary(sources.store, items), (), rows, remembered, disk)
        else:
            view = self._chain(sources.workspace, sources.configured(None), items, rows, disk, now)
        view = replace(view, faults=(*view.faults, *(self._judge.faults if self._judge else ())))
        tidy = cleaned(view, sources.workspace or sources.store.root)
        command = harmless(view.summary.next_command)  # whole, so that it can be typed anywhere
        return replace(tidy, summary=replace(tidy.summary, next_command=command))

    def _chain(
        self,
        workspace: Path,
        config: SectionConfig,
        items: Sequence[Item],
        rows: tuple[CheckpointRow, ...],
        disk: Disk,
        now: float,
    ) -> Dashboard:
        output = workspace / OUTPUT
        journal = Journal(output / "sessions")
        standing = read_standing(journal, items, self._sources.store.best(), config, self._sources.flags)
        entries = [line.entry for line in standing.sessions]
        logs = logs_tree(workspace / "validation_ch7" / config.section, config.scenario)
        curve = curve_of(read_chain_rows(logs, running_logs(entries, output)))
        if curve.empty:
            curve = curve_of_manifests(item.manifest for item in items if item.manifest)
        evidence, doubts = read_evidence(output / "reports", config.scenario)
        unreadable = (f"{fault.path.name} in the journal cannot be read: {fault.reason}" for fault in standing.faults)
        return Dashboard(
            written=utc_text(now),
            summary=chain_summary(standing, config),
            sessions=session_rows(standing.sessions, now),
            checkpoints=rows,
            curve=thin_curve(with_session_ends(curve, standing.sessions)),
            disk=disk,
            quota=last_quota(output),
            log=read_log_tail(entries, output),
            evidence=evidence,
            faults=(*unreadable, *doubts),
        )


def chain_summary(standing: ChainStanding, config: SectionConfig) -> Summary:
    """Return where a chain of sessions stands."""
    manifest, best = standing.newest.manifest if standing.newest else None, standing.best
    return Summary(
        title=standing.scenario,
        subtitle=standing.section,
        algorithm=manifest.compatibility.algorithm if manifest else config.training.algorithm.upper(),
        steps=standing.steps,
        target_steps=standing.target_steps,
        last_reward=standing.last_reward,
        best_reward=best.reward if best else None,
        best_steps=best.steps if best else None,
        exactness=str(manifest.exactness) if manifest else "",
        newest=standing.newest.path.name if standing.newest else "",
        saved=manifest.created if manifest else "",
        next_command=standing.next_command,
        next_reason=standing.next_reason,
    )


def store_summary(store: CheckpointStore, items: Sequence[Item]) -> Summary:
    """Return where a store stands that no section owns."""
    newest = next((item for item in items if item.kind is Kind.CHECKPOINT and item.manifest), None)
    manifest, best = newest.manifest if newest else None, store.best()
    return Summary(
        title=store.prefix,
        subtitle="a store of checkpoints",
        algorithm=manifest.compatibility.algorithm if manifest else "",
        steps=manifest.steps if manifest else 0,
        target_steps=0,
        last_reward=newest.reward if newest else None,
        best_reward=best.reward if best else None,
        best_steps=best.steps if best else None,
        exactness=str(manifest.exactness) if manifest else "",
        newest=newest.path.name if newest else "",
        saved=manifest.created if manifest else "",
        next_command=f"{PROGRAM} checkpoints list --store {quoted([str(store.root)])}",
        next_reason="lists what is there; training goes on with learn_resumable",
    )


def last_quota(output: Path) -> Quota | None:
    """Return the GPU quota as the service told it last; it is not asked again."""
    answer = read_quota(output)
    return Quota(answer.used_s, answer.allowed_s, answer.asked, answer.refresh) if answer else None


def with_session_ends(curve: Curve, sessions: Sequence[SessionLine]) -> Curve:
    """Return the curve with the evaluation at the end of each session, which is in its summary and in no row."""
    known = set(curve.evaluated.steps)
    ends = {line.entry.steps_after or 0: line.reward for line in sessions if line.reward is not None}
    return curve.with_evaluations({step: reward for step, reward in ends.items() if step and step not in known})
