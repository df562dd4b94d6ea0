"""Kernels on Kaggle: each method is one call, with plain values in and out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from validation_ch7.remote.kaggle_client import KaggleClient
from validation_ch7.remote.retry import FaultKind, Patience, ServiceFault, tolerating

PAGE_SIZE = 200
_TYPES = "kernels.types.kernels_api_service"


@dataclass(frozen=True)
class KernelPush:
    """A kernel to save and run."""

    slug: str
    title: str
    text: str
    dataset_sources: tuple[str, ...]
    limit_s: int
    gpu: bool
    internet: bool
    machine_shape: str | None
    kernel_sources: tuple[str, ...] = ()


@dataclass(frozen=True)
class PushAnswer:
    """What the service says to a push; a refusal comes in ``error``, not as an exception."""

    ref: str
    url: str
    version: int | None
    error: str
    invalid_sources: tuple[str, ...]


@dataclass(frozen=True)
class OutputPage:
    """One page of a session's outputs."""

    files: dict[str, str]
    """Name to address."""
    log: str
    next_token: str


@dataclass(frozen=True)
class KernelInfo:
    """What the service knows of a kernel."""

    slug: str
    version: int
    source: str = ""


@dataclass(frozen=True)
class GpuQuota:
    """Accelerator hours of the running week."""

    used_s: float
    allowed_s: float
    refresh: datetime | None

    @property
    def left_s(self) -> float:
        """What is left of it [s]."""
        return max(0.0, self.allowed_s - self.used_s)


class KaggleKernels:
    """Each method is one call; all raise ``ServiceFault`` and ``CredentialsError``."""

    def __init__(self, client: KaggleClient) -> None:
        self.client = client

    def save_kernel(self, push: KernelPush) -> PushAnswer:
        """Save and run the kernel; not repeated where it may have been accepted."""
        owner = self.client.owner
        request = self.client.message(_TYPES, "ApiSaveKernelRequest")
        request.slug = f"{owner}/{push.slug}"
        request.new_title, request.text = push.title, push.text
        request.language, request.kernel_type = "python", "script"
        request.is_private, request.enable_gpu, request.enable_internet = True, push.gpu, push.internet
        request.enable_tpu = False
        request.dataset_data_sources = list(push.dataset_sources)
        request.kernel_data_sources = list(push.kernel_sources)
        request.competition_data_sources, request.model_data_sources, request.category_ids = [], [], []
        request.session_timeout_seconds = push.limit_s
        if push.gpu and push.machine_shape:
            request.machine_shape = push.machine_shape
        what = f"push of {owner}/{push.slug}"
        answer = self.client.call(what, lambda sdk: _kernels(sdk).save_kernel(request), repeatable=False)
        invalid = (
            *(answer.invalid_dataset_sources or ()),
            *(answer.invalid_kernel_sources or ()),
            *(answer.invalid_competition_sources or ()),
            *(answer.invalid_model_sources or ()),
        )
        return PushAnswer(answer.ref or "", answer.url or "", answer.version_number, answer.error or "", invalid)

    def kernel_status(self, slug: str, version: int | None, patience: Patience) -> tuple[str, str]:
        """Return the name of the state and the failure message of that version's session."""
        request = self._of_kernel("ApiGetKernelSessionStatusRequest", slug, version)
        answer = self.client.call(
            f"status of {slug}", lambda sdk: _kernels(sdk).get_kernel_session_status(request), patience=patience
        )
        return str(answer.status.name), str(answer.failure_message or "")

    def outputs(self, slug: str, version: int | None, token: str = "") -> OutputPage:
        """Return one page of the outputs; the first one also has the log."""
        request = self._of_kernel("ApiListKernelSessionOutputRequest", slug, version)
        request.page_size = PAGE_SIZE
        if token:
            request.page_token = token
        answer = self.client.call(f"outputs of {slug}", lambda sdk: _kernels(sdk).list_kernel_session_output(request))
        files = {str(item.file_name): str(item.url) for item in answer.files or []}
        return OutputPage(files, answer.log or "", answer.next_page_token or "")

    def kernel(self, slug: str) -> KernelInfo | None:
        """Return the kernel with its newest version's source, or None where there is none (yet)."""
        request = self._of_kernel("ApiGetKernelRequest", slug, None)
        try:
            answer = self.client.call(f"kernel {slug}", lambda sdk: _kernels(sdk).get_kernel(request))
        except ServiceFault as fault:
            if fault.kind is FaultKind.ABSENT:
                return None
            raise
        return KernelInfo(slug, int(answer.metadata.current_version_number or 0), str(answer.blob.source or ""))

    def own_kernels(self, search: str) -> list[KernelInfo]:
        """Return the account's kernels that the service finds for ``search``."""
        request = self.client.message(_TYPES, "ApiListKernelsRequest")
        view = self.client.message("kernels.types.kernels_enums", "KernelsListViewType")
        request.group, request.search, request.page_size = view.PROFILE, search, PAGE_SIZE
        answer = self.client.call("list of own kernels", lambda sdk: _kernels(sdk).list_kernels(request))
        return [
            KernelInfo(str(item.ref).rsplit("/", 1)[-1], int(item.current_version_number or 0))
            for item in answer.kernels or []
        ]

    def delete_kernel(self, slug: str) -> None:
        """Delete the kernel with all its versions and outputs; one that is gone already is no fault."""
        request = self._of_kernel("ApiDeleteKernelRequest", slug, None)
        with tolerating(FaultKind.ABSENT):  # the answer to an earlier try may have been lost
            self.client.call(f"deletion of {slug}", lambda sdk: _kernels(sdk).delete_kernel(request))

    def quota(self, patience: Patience | None = None) -> GpuQuota:
        """Return what is left of the week's GPU hours."""
        request = self.client.message(_TYPES, "ApiGetAcceleratorQuotaStatisticsRequest")
        answer = self.client.call(
            "GPU quota", lambda sdk: _kernels(sdk).get_accelerator_quota_statistics(request), patience=patience
        )
        gpu, refresh = answer.gpu_quota, answer.quota_refresh_time
        used = sum(part.total_seconds() for part in (gpu.time_used, gpu.time_reserved) if part is not None)
        allowed = gpu.total_time_allowed.total_seconds() if gpu.total_time_allowed else float("inf")
        return GpuQuota(used, allowed, refresh.replace(tzinfo=UTC) if refresh else None)

    def _of_kernel(self, name: str, slug: str, version: int | None) -> Any:
        request = self.client.message(_TYPES, name)
        request.user_name, request.kernel_slug = self.client.owner, slug
        if version is not None:
            request.version_label = f"v{version}"
        return request


def _kernels(sdk: Any) -> Any:
    return sdk.kernels.kernels_api_client
