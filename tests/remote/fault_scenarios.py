"""Everything that has gone wrong with sessions on Kaggle, each with how it must end; docs/KAGGLE.md shows the table."""

from __future__ import annotations

import shutil
from collections import namedtuple
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.emulator.faults import Fault
from tests.emulator.world import Dataset, Rules
from validation_ch7.journal import Phase

STATUS, PUSH, LISTING = "GetKernelSessionStatus", "SaveKernel", "ListKernelSessionOutput"
CHECKPOINT = "checkpoint_512"
ALWAYS = 10_000
STATES = {
    **dict.fromkeys((Phase.FINISHED, Phase.DOWNLOADED), ("complete",)),
    **dict.fromkeys((Phase.RESTORED, Phase.CLOSED), ("completed",)),
}
"""What the journal says of the session at the phases that know: what the backend told, then what its summary says."""
Edit = Callable[[dict[str, Any]], Any]


@dataclass(frozen=True)
class Scenario:
    """One thing that goes wrong while the second session of a chain runs on Kaggle."""

    exit_code: int = 0
    """Of the run that it happens to; None where that run is killed."""
    says: str = ""
    """What the run tells a person."""
    sessions: int = 1
    """Sessions that this run starts."""
    in_all: int = 1
    """Sessions until the chain is where it should be, with the runs after the trouble has gone."""
    journal: str = "closed, completed"
    """How far the journal says that the session has come after the run, and its state, where it has one."""
    faults: tuple[Fault, ...] = ()
    rules: Rules | None = None
    arrange: Callable[[Any], None] = lambda _: None
    behaviour: str = "good"
    """What the session itself does."""
    killed: Phase | None = None
    """The step of the journal after which the manager is killed."""


def passing(call: str, kind: str, **facts: Any) -> Scenario:
    return Scenario(faults=(Fault(call, kind, **facts),))


def brought_later(kind: str, **facts: Any) -> Scenario:
    """A file that cannot be brought now: the results stay at Kaggle, the next run brings them."""
    return Scenario(
        3,
        "could not be brought now",
        faults=(Fault("file", kind, times=ALWAYS, match=CHECKPOINT, **facts),),
        journal="finished, complete",
    )


def add_names(answer: dict[str, Any]) -> dict[str, Any]:
    url = answer["files"][0]["url"]
    evil = ("../../evil", "/tmp/evil-of-the-emulator", "C:\\evil", "a/../../evil")
    return {**answer, "files": [*answer["files"], *({"url": url, "fileName": name} for name in evil)]}


def edited(call: str, edit: Edit, times: int = 1) -> tuple[Fault, ...]:
    return (Fault(call, "edit", edit=edit, times=times),)


def no_gpu_hours(kaggle: Any) -> None:
    kaggle.world.rules.gpu_used = kaggle.world.rules.gpu_seconds


def older_bundle_is_mounted(kaggle: Any) -> None:
    slug = "section-7-6-rl-performance-traffic-light-co-bundle"
    folder = kaggle.world.root / "older"
    folder.mkdir(parents=True)
    (folder / "validation_session.bundle").write_bytes(b"an older one")
    kaggle.world.datasets[slug] = Dataset(slug, slug, True, [folder])
    kaggle.world.rules.mounted_version = 1


def kernel_had_a_session_before(kaggle: Any) -> None:
    """Let the kernel that is pushed to have an earlier version, which has ended well, and no output of use."""
    push = kaggle.server.api.save_kernel

    def push_after_another(body: dict[str, Any]) -> Any:
        if not kaggle.world.kernels:
            push({**body, "text": "print('a session of before')"})
            kaggle.world.sessions()[0]._process.wait()
            kaggle.world.sessions_ever = 0
        return push(body)

    kaggle.patch(kaggle.server.api, "save_kernel", push_after_another)


def disk_is_full(kaggle: Any) -> None:
    usage = namedtuple("usage", "total used free")
    kaggle.patch(shutil, "disk_usage", lambda _: usage(0, 0, 1000))


SCENARIOS: dict[str, Scenario] = {
    # the way to the push
    "429 with Retry-After at the upload": passing("StartBlobUpload", "http", status=429, headers={"Retry-After": "3"}),
    "429 with Retry-After at the push": passing(PUSH, "http", status=429, headers={"Retry-After": "3"}, times=2),
    "500 at the push": passing(PUSH, "http", status=500),
    "503 at the creation of a dataset": passing("CreateDataset", "http", status=503),
    "502 at the status of a dataset": passing("GetDatasetStatus", "http", status=502, times=2),
    "a page of HTML at status 200 instead of the answer to a push": passing(PUSH, "html"),
    "an error code in a body at status 200": passing(
        "GetDatasetStatus", "json", status=200, text='{"code": 503, "message": "overloaded"}'
    ),
    "a push that hangs": passing(PUSH, "hang"),
    "a connection cut before a push": passing(PUSH, "cut"),
    "the reply to a push is lost": passing(PUSH, "lost"),
    "the reply to a push is lost and the kernel is not indexed yet": Scenario(
        faults=(Fault(PUSH, "lost"),), rules=Rules(hidden_for=3)
    ),
    "the reply to a new dataset is lost": passing("CreateDataset", "lost"),
    "a null list in the answer to a push": Scenario(
        faults=edited(PUSH, lambda answer: {**answer, "invalidDatasetSources": None})
    ),
    "an upload that breaks off half-way": passing("upload", "half", status=503),
    "an upload that hangs": passing("upload", "hang"),
    "the service stays down at the upload": Scenario(
        3,
        "run the same command again",
        0,
        faults=(Fault("StartBlobUpload", "http", status=500, times=ALWAYS),),
        journal="submitting",
    ),
    "a dataset that stays pending": Scenario(
        3, "did not arrive", 0, rules=Rules(pending_for=ALWAYS), journal="submitting"
    ),
    "a dataset without its file": Scenario(
        3,
        "did not arrive",
        0,
        faults=edited("ListDatasetFiles", lambda _: {"datasetFiles": []}, 9),
        journal="submitting",
    ),
    "a dataset with half of its file": Scenario(
        3,
        "did not arrive",
        0,
        faults=edited(
            "ListDatasetFiles",
            lambda answer: {"datasetFiles": [{**item, "totalBytes": 7} for item in answer["datasetFiles"]]},
            9,
        ),
        journal="submitting",
    ),
    "a rejected push at status 200": Scenario(
        3,
        "Notebook not found",
        0,
        faults=(Fault(PUSH, "json", status=200, text='{"error": "Notebook not found"}'),),
        journal="submitting",
    ),
    "a data source that Kaggle drops": Scenario(
        3,
        "dropped a data source",
        1,
        2,
        faults=edited(PUSH, lambda answer: {**answer, "invalidDatasetSources": ["tester/x"]}),
        journal="submitting",
    ),
    "the GPU hours of the week are used up": Scenario(6, "used up", 0, arrange=no_gpu_hours, journal="failed"),
    "the GPU hours are used up and the quota cannot be read": Scenario(
        6,
        "weekly GPU quota",
        0,
        faults=(Fault("GetAcceleratorQuotaStatistics", "http", status=500, times=ALWAYS),),
        arrange=no_gpu_hours,
        journal="failed",
    ),
    "too many sessions at once": Scenario(6, "Too many sessions", 0, rules=Rules(gpu_sessions=0), journal="failed"),
    # the session
    "a bundle below datasets/owner/name": Scenario(rules=Rules(mount="datasets/{owner}/{slug}")),
    "a bundle below notebooks/owner/name": Scenario(rules=Rules(mount="notebooks/{owner}/{slug}")),
    "a session on CPU without internet": Scenario(says="cuda_devices=0, network=no", rules=Rules(phone_verified=False)),
    "a session that is given an older bundle": Scenario(
        4, "No bundle", 1, 2, arrange=older_bundle_is_mounted, journal="closed, failed"
    ),
    "a session that fails and leaves a checkpoint": Scenario(
        4, "loss is nan", 1, 1, behaviour="fails late", journal="closed, failed"
    ),
    "a session that fails before it has saved": Scenario(
        4, "loss is nan", 1, 2, behaviour="fails early", journal="closed, failed"
    ),
    "a session that dies without a word": Scenario(
        4, "left no summary", 1, 2, behaviour="dies", journal="closed, killed"
    ),
    "a timeout with its output kept": Scenario(
        75,
        "max allowed execution duration",
        1,
        1,
        rules=Rules(time_scale=1e-3),
        behaviour="hangs late",
        journal="closed, timeout",
    ),
    "a timeout with its output lost": Scenario(
        75,
        "max allowed execution duration",
        1,
        2,
        rules=Rules(time_scale=1e-3, keep_output_of_stopped=False),
        behaviour="hangs late",
        journal="closed, timeout",
    ),
    "a session that somebody cancels": Scenario(
        75,
        "cancelled",
        1,
        2,
        faults=edited(STATUS, lambda _: {"status": "CANCEL_ACKNOWLEDGED"}, ALWAYS),
        behaviour="hangs late",
        journal="closed, cancelled",
    ),
    # watching
    "404 while Kaggle is indexing": passing(STATUS, "http", status=404, times=3),
    "403 at a status": passing(STATUS, "http", status=403, times=3),
    "429 at a status": passing(STATUS, "http", status=429, times=3),
    "HTML at a status": passing(STATUS, "html", times=3),
    "a status that hangs": passing(STATUS, "hang"),
    "a status that is not known": Scenario(faults=edited(STATUS, lambda _: {"status": "EVICTED"}, 3)),
    "an answer without a status": Scenario(faults=edited(STATUS, lambda _: {}, 3)),
    "a stale COMPLETE of an earlier version": Scenario(
        rules=Rules(stale_for=ALWAYS), arrange=kernel_had_a_session_before
    ),
    "a status that stays unusable": Scenario(
        3, "cannot be followed", faults=(Fault(STATUS, "http", status=404, times=ALWAYS),), journal="submitted"
    ),
    "a live log that drops and replays": Scenario(rules=Rules(stream_events=1)),
    "a live log that never works": passing("stream", "http", status=404, times=ALWAYS),
    # the results
    "a file cut short, with Content-Length": passing("file", "short", match=CHECKPOINT),
    "a file cut short, without Content-Length": passing("file", "short_silent", match=CHECKPOINT),
    "a byte that flips": passing("file", "flip", match=CHECKPOINT),
    "an error page as a file": passing("file", "page", match=CHECKPOINT),
    "an address that has expired": passing("file", "http", status=403, match=CHECKPOINT),
    "429 at a file": passing("file", "http", status=429, headers={"Retry-After": "3"}, match=CHECKPOINT),
    "a file that hangs": passing("file", "hang", match=CHECKPOINT),
    "a listing whose second page fails": Scenario(
        faults=(Fault(LISTING, "http", status=502, match='"pageToken": "200"'),), behaviour="many files"
    ),
    "a null list of files": Scenario(faults=edited(LISTING, lambda answer: {**answer, "files": None})),
    "six hundred files": Scenario(behaviour="many files"),
    "hostile names": Scenario(faults=edited(LISTING, add_names, 9)),
    "a file that stays cut short": brought_later("short"),
    "a file that is an error page for good": brought_later("page"),
    "a file whose server stays down": brought_later("http", status=503),
    "a file whose bytes stay wrong": Scenario(
        4,
        "differs from its digest",
        1,
        2,
        faults=(Fault("file", "flip", times=ALWAYS, match=CHECKPOINT),),
        journal="closed, failed",
    ),
    "the listing stays down": Scenario(
        3, "run the same command again", faults=(Fault(LISTING, "http", status=503, times=ALWAYS),), journal="submitted"
    ),
    "the disk is full": Scenario(3, "not enough disk space", arrange=disk_is_full, journal="finished, complete"),
    # the manager
    **{
        f"the manager is killed when it has written '{phase}'": Scenario(
            137,
            "",
            0 if phase in (Phase.PLANNED, Phase.BUNDLED, Phase.SUBMITTING) else 1,
            killed=phase,
            journal=", ".join((phase, *STATES.get(phase, ()))),
        )
        for phase in Phase
        if phase is not Phase.FAILED
    },
}


def table() -> list[str]:
    """Return the rows that docs/KAGGLE.md shows."""
    return [
        f"| {name} | {scenario.exit_code} | {scenario.journal} | {scenario.sessions} | {scenario.in_all} |"
        for name, scenario in SCENARIOS.items()
    ]


def replay_code(folder: Path, outputs: Path) -> Path:
    """Make a project whose training leaves what a real session left before, in the way that is asked for."""
    training = folder / "validation_ch7" / "training"
    training.mkdir(parents=True)
    for place in (training, training.parent):
        (place / "__init__.py").write_text("", encoding="utf-8")
    source = Path(__file__).with_name("replayed_session.py").read_text(encoding="utf-8")
    (training / "run_session.py").write_text(source.replace('"@OUTPUTS@"', repr(str(outputs))), encoding="utf-8")
    return folder
