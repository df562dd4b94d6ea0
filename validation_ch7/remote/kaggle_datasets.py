"""The private dataset that brings bundles to Kaggle: one file, one version per session, and proof that it arrived.

The service says "ok" to a version whose file it never got, unpacks archives, answers 403 while the version before
is processed, and may accept a version whose answer is lost. So: upload the one file, create the version, then ask
until it is ready and look whether the newest version is later than the one before and holds our file in our size.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from validation_ch7.errors import BackendError
from validation_ch7.remote.kaggle_client import KaggleClient
from validation_ch7.remote.kaggle_upload import upload
from validation_ch7.remote.progress import OnProgress
from validation_ch7.remote.retry import FaultKind, Patience, ServiceFault, tolerating

_TYPES = "datasets.types.dataset_api_service"
LICENSE = "unknown"
READY_PATIENCE = Patience(tries=60, first_s=2.0, factor=1.3, longest_s=20.0)


@dataclass(frozen=True)
class DatasetState:
    """What the service holds of a dataset."""

    version: int
    files: dict[str, int]
    """Name to size in bytes, of the newest version."""


class KaggleDatasets:
    """Publishes bundles; all methods raise ``ServiceFault`` and ``CredentialsError``."""

    def __init__(
        self, client: KaggleClient, ready: Patience = READY_PATIENCE, on_progress: OnProgress | None = None
    ) -> None:
        self._client = client
        self._on_progress = on_progress
        self._ready = ready

    def publish(self, slug: str, title: str, bundle: Path, note: str) -> int:
        """Make ``bundle`` the one file of a new, ready version of the private dataset and return its number.

        Raises:
            BackendError: the version never became ready, or does not hold the bundle.
        """
        before = self._wait_until_ready(slug) if self.state(slug) else None
        request = self._client.message("blobs.types.blob_api_service", "ApiStartBlobUploadRequest")
        request.type = self._client.message("blobs.types.blob_api_service", "ApiBlobType").DATASET
        request.name, request.content_length = bundle.name, bundle.stat().st_size
        request.last_modified_epoch_seconds = int(bundle.stat().st_mtime)
        blob = self._client.call("start of an upload", lambda sdk: sdk.blobs.blob_api_client.start_blob_upload(request))
        upload(bundle, str(blob.create_url), self._client.timeouts, self._client.retrier, self._on_progress)
        held = {bundle.name: bundle.stat().st_size}
        floor = before.version if before else 0
        accepted = False
        for attempt in range(self._ready.tries):
            try:
                accepted = accepted or self._create(slug, title, str(blob.token), note, new=floor == 0)
            except ServiceFault as fault:  # the version before is processed, or the answer is lost
                if (fault.kind is not FaultKind.ABSENT and not fault.maybe_done) or attempt >= self._tries:
                    raise
                self._pause(attempt)
            now = self._wait_until_ready(slug)
            if now is not None and now.version > floor:
                return _verified(slug, now, held)
            self._pause(attempt)  # the number of a version that was accepted may lag behind
        raise _not_published(slug, f"a version after {floor}", "none appeared")

    def state(self, slug: str) -> DatasetState | None:
        """Return what the service holds, or None where there is no such dataset (yet)."""
        owner = self._client.owner
        request = self._client.message(_TYPES, "ApiGetDatasetRequest")
        request.owner_slug, request.dataset_slug = owner, slug
        listing = self._client.message(_TYPES, "ApiListDatasetFilesRequest")
        listing.owner_slug, listing.dataset_slug = owner, slug
        try:
            found = self._call(f"dataset {slug}", lambda api: api.get_dataset(request))
            files = self._call(f"files of dataset {slug}", lambda api: api.list_dataset_files(listing))
        except ServiceFault as fault:
            if fault.kind is FaultKind.ABSENT:
                return None
            raise
        sizes = {str(item.name): int(item.total_bytes) for item in files.dataset_files or []}
        return DatasetState(int(found.current_version_number or 0), sizes)

    def delete(self, slug: str) -> None:
        """Delete the dataset with all its versions; one that is gone already is no fault."""
        request = self._client.message(_TYPES, "ApiDeleteDatasetRequest")
        request.owner_slug, request.dataset_slug = self._client.owner, slug
        with tolerating(FaultKind.ABSENT):  # the answer to an earlier try may have been lost
            self._call(f"deletion of dataset {slug}", lambda api: api.delete_dataset(request))

    def _create(self, slug: str, title: str, token: str, note: str, *, new: bool) -> bool:
        file = self._client.message(_TYPES, "ApiDatasetNewFile")
        file.token = token
        if new:
            request = self._client.message(_TYPES, "ApiCreateDatasetRequest")
            request.title, request.slug, request.owner_slug = title, slug, self._client.owner
            request.license_name, request.is_private, request.files = LICENSE, True, [file]
            answer = self._call(f"new dataset {slug}", lambda api: api.create_dataset(request), repeatable=False)
            taken = "already in use" in (answer.error or "")  # by the first try, whose answer was lost
            if answer.error and not taken:
                raise _not_published(slug, "a new private dataset", answer.error)
            return True
        request = self._client.message(_TYPES, "ApiCreateDatasetVersionRequest")
        request.owner_slug, request.dataset_slug = self._client.owner, slug
        request.body = self._client.message(_TYPES, "ApiCreateDatasetVersionRequestBody")
        request.body.version_notes, request.body.files = note, [file]
        answer = self._call(f"new version of {slug}", lambda api: api.create_dataset_version(request), repeatable=False)
        if answer.error:
            raise _not_published(slug, "a new version", answer.error)
        return True

    def _wait_until_ready(self, slug: str) -> DatasetState | None:
        request = self._client.message(_TYPES, "ApiGetDatasetStatusRequest")
        request.owner_slug, request.dataset_slug = self._client.owner, slug
        name = ""
        for attempt in range(self._ready.tries):
            try:
                name = str(self._call(f"status of {slug}", lambda api: api.get_dataset_status(request)).status.name)
            except ServiceFault as fault:
                if fault.kind is not FaultKind.ABSENT:
                    raise
                if attempt >= self._tries:
                    return None
            if name == "READY":
                return self.state(slug)
            if name in ("FAILED", "DELETED"):
                break
            self._client.retrier.sleep(self._ready.delay(attempt, self._client.retrier.rng))
        raise _not_published(slug, "status READY", name or "no status")

    @property
    def _tries(self) -> int:
        return self._client.retrier.patience.tries

    def _pause(self, attempt: int) -> None:
        retrier = self._client.retrier
        retrier.sleep(retrier.patience.delay(attempt, retrier.rng))

    def _call(self, what: str, use: Callable[[Any], Any], *, repeatable: bool = True) -> Any:
        return self._client.call(what, lambda sdk: use(sdk.datasets.dataset_api_client), repeatable=repeatable)


def _verified(slug: str, now: DatasetState, held: dict[str, int]) -> int:
    if now.files != held:
        raise _not_published(slug, f"exactly {held}", f"{now.files or 'no file'} in version {now.version}")
    return now.version


def _not_published(slug: str, expected: str, found: str) -> BackendError:
    return BackendError(
        "The bundle did not arrive at Kaggle as it was sent; no session was started.",
        where=f"dataset {slug}",
        expected=expected,
        found=found,
        remedy="run the same command again: it uploads the bundle anew",
    )
