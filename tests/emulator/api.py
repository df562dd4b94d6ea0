"""The API methods, with the quirks of the real ones."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from tests.emulator.session import EmulatedSession
from tests.emulator.world import Dataset, Kernel, KernelVersion, World, utc_text

PAGE_LIMIT = 200
Body = dict[str, Any]


class ApiError(Exception):
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Redirect:
    """An answer that only says where the content is."""

    location: str


class Api:
    """Answers one call at a time; ``base`` is the address of this server."""

    def __init__(self, world: World, base: str) -> None:
        self.world = world
        self.base = base

    def method(self, name: str) -> Callable[[Body], Body | Redirect]:
        snake = re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
        found = getattr(self, snake, None)
        if found is None:
            raise ApiError(404, f"no such method: {name}")
        return found  # type: ignore[no-any-return]

    # kernels

    def save_kernel(self, body: Body) -> Body:
        world, title = self.world, body.get("newTitle", "")
        slug = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")  # of the title, whatever the slug says
        if len(slug) < 5:
            return {"error": "Title must be at least five characters"}
        if body.get("enableGpu") and (refusal := self._gpu_refusal()):
            return {"error": refusal}
        if f"{world.owner}/{slug}" in body.get("kernelDataSources", []):
            return {"error": "A notebook cannot use itself as a data source."}
        (mounts, invalid), (read, unknown) = self._mounts(body), self._kernel_mounts(body)
        mounts |= read
        kernel = world.kernels.get(slug)
        if kernel is None:
            kernel = world.kernels[slug] = Kernel(slug, title, body.get("isPrivate", False))
            kernel.hidden_for = world.rules.hidden_for
        number = len(kernel.versions) + 1
        limit = body.get("sessionTimeoutSeconds")
        session = EmulatedSession(
            world.root / "kernels" / slug / str(number),
            body["text"],
            mounts,
            limit_s=limit * world.rules.time_scale if limit else None,
            gpu=bool(body.get("enableGpu")),
            internet=bool(body.get("enableInternet")) and world.rules.phone_verified,
            gpus=2 if world.rules.phone_verified else 0,
            queued_for=world.rules.queued_for,
            keep_output=world.rules.keep_output_of_stopped,
            lacking=world.rules.lacking,
            clock=world.clock,
            time_scale=world.rules.time_scale,
        )
        world.sessions_ever += 1
        kernel.versions.append(KernelVersion(number, body["text"], session))
        kernel_ref = f"/code/{world.owner}/{slug}"
        answer: Body = {"ref": kernel_ref, "url": f"https://www.kaggle.com{kernel_ref}", "versionNumber": number}
        return {
            **answer,
            "kernelId": 1000 + len(world.kernels),
            **({"invalidDatasetSources": invalid} if invalid else {}),
            **({"invalidKernelSources": unknown} if unknown else {}),
        }

    def _gpu_refusal(self) -> str:
        rules = self.world.rules
        if self.world.gpu_used() >= rules.gpu_seconds:
            return f"Maximum weekly GPU quota of {rules.gpu_seconds / 3600:.2f} hours reached."
        if sum(session.running and session.gpu for session in self.world.sessions()) >= rules.gpu_sessions:
            return f"Maximum batch GPU session count of {rules.gpu_sessions} reached."
        return ""

    def _mounts(self, body: Body) -> tuple[dict[str, Any], list[str]]:
        mounts, invalid = {}, []
        for source in body.get("datasetDataSources", []):
            owner, slug = source.split("/")
            dataset = self.world.datasets.get(slug) if owner == self.world.owner else None
            if dataset is None or not dataset.versions:
                invalid.append(source)
            else:
                number = self.world.rules.mounted_version or len(dataset.versions)
                mounts[self.world.rules.mount.format(owner=owner, slug=slug)] = dataset.versions[number - 1]
        return mounts, invalid

    def _kernel_mounts(self, body: Body) -> tuple[dict[str, Any], list[str]]:
        """Return where the newest output of each kernel that is a data source is mounted, and the unknown ones."""
        mounts, unknown = {}, []
        for source in body.get("kernelDataSources", []):
            owner, slug = source.split("/")
            kernel = self.world.kernels.get(slug) if owner == self.world.owner else None
            ended = [version for version in kernel.versions if not version.session.running] if kernel else []
            if not ended:
                unknown.append(source)
                continue
            place = self.world.rules.kernel_mount.format(owner=owner, slug=slug)
            mounts[place] = self.world.mounted_output(slug, ended[-1])
        return mounts, unknown

    def _kernel(self, body: Body) -> Kernel:
        slug, owner = body.get("kernelSlug", ""), body.get("userName", "")
        kernel = self.world.kernels.get(slug)
        if owner != self.world.owner or kernel is None:
            raise ApiError(403 if kernel is None else 404, "Permission 'kernels.get' was denied")
        if kernel.hidden_for > 0:
            kernel.hidden_for -= 1
            raise ApiError(404, "Notebook not found")
        return kernel

    def _version(self, body: Body) -> KernelVersion:
        kernel = self._kernel(body)
        label = body.get("versionLabel")
        if label is None:
            return kernel.versions[-1]
        number = int(label.removeprefix("v"))
        if not 1 <= number <= len(kernel.versions):
            raise ApiError(404, "Version not found")
        return kernel.versions[number - 1]

    def get_kernel_session_status(self, body: Body) -> Body:
        version = self._version(body)
        kernel, rules = self._kernel(body), self.world.rules
        if "versionLabel" not in body and version.number > 1 and rules.stale_for > 0:
            rules.stale_for -= 1
            version = kernel.versions[-2]
        status, message = version.session.status()
        return {"status": status, **({"failureMessage": message} if message else {})}

    def list_kernel_session_output(self, body: Body) -> Body:
        version = self._version(body)
        names = version.session.outputs()
        size = min(body.get("pageSize", 20), PAGE_LIMIT)
        start = int(body.get("pageToken") or 0)
        place = f"{self.base}/files/{body['kernelSlug']}/{version.number}"
        files = [{"url": f"{place}/{quote(name)}", "fileName": name} for name in names[start : start + size]]
        more = {"nextPageToken": str(start + size)} if start + size < len(names) else {}
        return {"files": files, "log": version.session.log_blob(), **more}

    def download_kernel_output(self, body: Body) -> Redirect:
        number = body.get("versionNumber")
        asked = {"userName": body.get("ownerSlug"), "kernelSlug": body.get("kernelSlug")}
        version = self._version({**asked, **({"versionLabel": f"v{number}"} if number else {})})
        name = body.get("filePath", "")
        if name not in version.session.outputs():
            raise ApiError(404, "File not found")
        return Redirect(f"{self.base}/files/{body['kernelSlug']}/{version.number}/{quote(name)}")

    def get_kernel(self, body: Body) -> Body:
        kernel = self._kernel(body)
        last = kernel.versions[-1]
        metadata = self._metadata(kernel)
        blob = {"source": last.source, "language": "python", "kernelType": "script", "slug": kernel.slug}
        return {"metadata": metadata, "blob": blob}

    def _metadata(self, kernel: Kernel) -> Body:
        return {
            "ref": f"{self.world.owner}/{kernel.slug}",
            "title": kernel.title,
            "slug": kernel.slug,
            "author": self.world.owner,
            "isPrivate": kernel.private,
            "currentVersionNumber": len(kernel.versions),
            "lastRunTime": utc_text(kernel.versions[-1].session.began),
        }

    def list_kernels(self, body: Body) -> Body:
        size, page = body.get("pageSize", 20), body.get("page", 1)
        wanted = body.get("search", "")
        kernels = [kernel for slug, kernel in sorted(self.world.kernels.items()) if wanted in slug]
        return {"kernels": [self._metadata(kernel) for kernel in kernels[(page - 1) * size : page * size]]}

    def delete_kernel(self, body: Body) -> Body:
        self.world.remove_kernel(self._kernel(body))
        return {}

    def get_accelerator_quota_statistics(self, body: Body) -> Body:
        used, allowed = self.world.gpu_used(), self.world.rules.gpu_seconds
        gpu = {"timeUsed": f"{used}s", "timeReserved": "0s", "totalTimeAllowed": f"{allowed}s"}
        return {"gpuQuota": gpu, "quotaRefreshTime": utc_text(self.world.refresh.timestamp())}

    # blobs and datasets

    def start_blob_upload(self, body: Body) -> Body:
        token = self.world.start_blob(body["name"], body["contentLength"])
        return {"token": token, "createUrl": f"{self.base}/upload/{token}"}

    def _dataset(self, body: Body) -> Dataset:
        dataset = self.world.datasets.get(body.get("datasetSlug", ""))
        if dataset is None or body.get("ownerSlug") != self.world.owner:
            raise ApiError(403, "Permission 'datasets.get' was denied")
        return dataset

    def create_dataset(self, body: Body) -> Body:
        slug = body["slug"]
        if not 6 <= len(slug) <= 50 or not 6 <= len(body["title"]) <= 50:
            return {"status": "error", "error": "The dataset title must be between 6 and 50 characters"}
        if slug in self.world.datasets:
            return {
                "status": "error",
                "error": f'The requested title "{body["title"]}" is already in use by a dataset.',
            }
        dataset = Dataset(slug, body["title"], body.get("isPrivate", False))
        self.world.datasets[slug] = dataset
        self.world.add_dataset_version(dataset, [item["token"] for item in body.get("files", [])])
        ref = f"{self.world.owner}/{slug}"
        return {"status": "ok", "ref": ref, "url": f"https://www.kaggle.com/datasets/{ref}"}

    def create_dataset_version(self, body: Body) -> Body:
        dataset = self._dataset(body)
        if dataset.pending_for > 0:
            raise ApiError(403, "The dataset is being processed")
        self.world.add_dataset_version(dataset, [item["token"] for item in body["body"].get("files", [])])
        return {"status": "ok", "ref": f"{self.world.owner}/{dataset.slug}"}

    def get_dataset_status(self, body: Body) -> Body:
        dataset = self._dataset(body)
        if dataset.pending_for > 0:
            dataset.pending_for -= 1
            return {"status": "BLOBS_RECEIVED"}
        return {"status": "READY"}

    def get_dataset(self, body: Body) -> Body:
        dataset, number = self._dataset(body), None
        if dataset.lagging_for > 0 and len(dataset.versions) > 1:
            dataset.lagging_for -= 1
            number = len(dataset.versions) - 1
        total = sum(path.stat().st_size for path in dataset.versions[-1].rglob("*") if path.is_file())
        ref = f"{self.world.owner}/{dataset.slug}"
        return {"ref": ref, "title": dataset.title, "isPrivate": dataset.private, "totalBytes": total} | {
            "currentVersionNumber": number or len(dataset.versions)
        }

    def list_dataset_files(self, body: Body) -> Body:
        dataset = self._dataset(body)
        folder = dataset.versions[body.get("datasetVersionNumber", len(dataset.versions)) - 1]
        paths = sorted(path for path in folder.rglob("*") if path.is_file())
        files = [{"name": path.relative_to(folder).as_posix(), "totalBytes": path.stat().st_size} for path in paths]
        return {"datasetFiles": files}

    def delete_dataset(self, body: Body) -> Body:
        del self.world.datasets[self._dataset(body).slug]
        return {}

    # credentials

    def introspect_token(self, body: Body) -> Body:
        good = body.get("token") == self.world.token and self.world.token_valid
        return {"active": True, "username": self.world.owner} if good else {"active": False}
