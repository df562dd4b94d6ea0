"""What the emulated service remembers: one account, its kernels, datasets and quota."""

from __future__ import annotations

import gzip
import shutil
import tarfile
import threading
import time
import uuid
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.emulator.faults import FaultPlan
from tests.emulator.session import EmulatedSession


@dataclass
class KernelVersion:
    number: int
    source: str
    session: EmulatedSession


@dataclass
class Kernel:
    slug: str
    title: str
    private: bool
    versions: list[KernelVersion] = field(default_factory=list)
    hidden_for: int = 0
    """Reads that still answer 404, as while the service indexes a new kernel."""


@dataclass
class Dataset:
    slug: str
    title: str
    private: bool
    versions: list[Path] = field(default_factory=list)
    pending_for: int = 0
    """Status reads until the newest version is ready."""
    lagging_for: int = 0
    """Reads that still tell of the version before."""


@dataclass
class Rules:
    """How this service behaves; the defaults are those of a good day."""

    mount: str = "{slug}"
    """Also ``datasets/{owner}/{slug}`` and ``notebooks/{owner}/{slug}``."""
    kernel_mount: str = "{slug}"
    """Of the outputs of kernels; also ``notebooks/{owner}/{slug}``."""
    unpack_outputs: bool = False
    """Whether archives in the outputs of kernels are unpacked where another kernel reads them."""
    phone_verified: bool = True
    """Whether sessions get the GPU and the internet that they ask for; no answer tells."""
    gpu_sessions: int = 2
    gpu_seconds: int = 30 * 3600
    gpu_used: int = 0
    """Seconds of this week that were used before; what sessions run is added."""
    queued_for: int = 0
    """Status reads during which a new session is queued."""
    hidden_for: int = 0
    pending_for: int = 0
    lagging_for: int = 0
    stale_for: int = 0
    """Status reads without a version that still speak of the version before."""
    keep_output_of_stopped: bool = True
    stream_events: int | None = None
    """Events after which the live log drops."""
    mounted_version: int | None = None
    """Version of a dataset that is mounted instead of the newest."""
    lacking: tuple[str, ...] = ()
    """Packages that the image does not have."""
    time_scale: float = 1.0
    """Session limits are multiplied by this, so that a test need not wait."""


class World:
    """The state of the service; all changes under one lock."""

    def __init__(
        self,
        root: Path,
        rules: Rules | None = None,
        plan: FaultPlan | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.root = root
        self.clock = clock
        self.rules = rules or Rules()
        self.plan = plan or FaultPlan()
        self.lock = threading.RLock()
        self.owner = "tester"
        self.key = "emulator-key"
        self.token = "emulator-token"
        self.token_valid = True
        self.kernels: dict[str, Kernel] = {}
        self.datasets: dict[str, Dataset] = {}
        self.sessions_ever = 0
        self.blobs: dict[str, tuple[str, int, Path]] = {}
        self.refresh = datetime.fromtimestamp(clock(), UTC).replace(microsecond=0) + timedelta(days=2)
        self._gone_gpu_s = self._past_gpu_s = 0.0

    def gpu_used(self) -> int:
        """Return the seconds of this week that sessions with a GPU have run; a week ends at ``refresh``."""
        ran = self._gone_gpu_s + sum(session.lasted_s for session in self.sessions() if session.gpu)
        while self.clock() >= self.refresh.timestamp():
            self.refresh += timedelta(days=7)
            self.rules.gpu_used, self._past_gpu_s = 0, ran
        return int(self.rules.gpu_used + ran - self._past_gpu_s)

    def remove_kernel(self, kernel: Kernel) -> None:
        for version in kernel.versions:
            version.session.stop()
            self._gone_gpu_s += version.session.lasted_s if version.session.gpu else 0.0
        shutil.rmtree(self.root / "kernels" / kernel.slug)
        del self.kernels[kernel.slug]

    def start_blob(self, name: str, length: int) -> str:
        token = uuid.uuid4().hex
        path = self.root / "blobs" / token
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        self.blobs[token] = (name, length, path)
        return token

    def add_dataset_version(self, dataset: Dataset, tokens: list[str]) -> None:
        folder = self.root / "datasets" / dataset.slug / str(len(dataset.versions) + 1)
        folder.mkdir(parents=True)
        for token in tokens:
            name, length, path = self.blobs[token]
            if path.stat().st_size == length:  # a half uploaded file is left out, and nobody is told
                arrive(path, folder, name)
        dataset.versions.append(folder)
        dataset.pending_for = self.rules.pending_for
        dataset.lagging_for = self.rules.lagging_for

    def mounted_output(self, slug: str, version: KernelVersion) -> Path:
        """Return a folder with what the version left, as a kernel that reads it sees it."""
        folder = self.root / "mounted" / slug / str(version.number) / uuid.uuid4().hex[:6]
        folder.mkdir(parents=True)
        for name in version.session.outputs():
            place = folder / name
            place.parent.mkdir(parents=True, exist_ok=True)
            path = version.session.folder / "working" / name
            if self.rules.unpack_outputs:
                arrive(path, place.parent, place.name)
            else:
                place.hardlink_to(path)
        return folder

    def pardon(self) -> None:
        """Forget the troubles that are written into datasets and kernels."""
        for dataset in self.datasets.values():
            dataset.pending_for = dataset.lagging_for = 0
        for kernel in self.kernels.values():
            kernel.hidden_for = 0

    def sessions(self) -> list[EmulatedSession]:
        return [version.session for kernel in self.kernels.values() for version in kernel.versions]

    def close(self) -> None:
        for session in self.sessions():
            session.stop()


def utc_text(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def arrive(blob: Path, folder: Path, name: str) -> None:
    """Put an uploaded file into a dataset; archives are unpacked, as the service does."""
    if name.endswith(".zip"):
        with zipfile.ZipFile(blob) as archive:
            archive.extractall(folder / name.removesuffix(".zip"))
    elif name.endswith((".tar.gz", ".tgz")):
        with tarfile.open(blob) as archive:
            archive.extractall(folder / name.split(".")[0], filter="data")
    elif name.endswith(".gz"):
        (folder / name.removesuffix(".gz")).write_bytes(gzip.decompress(blob.read_bytes()))
    else:
        (folder / name).hardlink_to(blob)
