"""The outputs of a Kaggle session: listed, brought, and checked against the manifest that the session wrote."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from validation_ch7.errors import SessionFailedError
from validation_ch7.files import commit_bytes, make_folder
from validation_ch7.remote.backend import FetchReport
from validation_ch7.remote.collect import chunk_digest
from validation_ch7.remote.download import Downloader, NotBrought, RemoteFile
from validation_ch7.remote.kaggle_client import log_pieces
from validation_ch7.remote.kaggle_kernels import KaggleKernels
from validation_ch7.schema import parse_document
from validation_ch7.session import LOG_NAME, OUTPUT_MANIFEST_NAME, OutputManifest

_MAX_PAGES = 500


@dataclass(frozen=True)
class Listing:
    """All outputs of a session, and its log."""

    urls: dict[str, str]
    log: str


def list_outputs(kernels: KaggleKernels, slug: str, version: int | None) -> Listing:
    """Return all outputs, over all pages."""
    page = kernels.outputs(slug, version)
    urls, log = dict(page.files), page.log
    for _ in range(_MAX_PAGES):
        if not page.next_token:
            break
        page = kernels.outputs(slug, version, page.next_token)
        urls.update(page.files)
    return Listing(urls, log)


def fetch_results(
    kernels: KaggleKernels, slug: str, version: int | None, target: Path, downloader: Downloader
) -> FetchReport:
    """Bring the outputs into ``target``: what the manifest names where there is one, else everything.

    A file that fails is tried once more with a fresh address. The manifest comes last.
    """
    make_folder(target)
    listing = list_outputs(kernels, slug, version)
    manifests, faults = _manifests(listing.urls, downloader)
    wanted = _wanted(listing.urls, manifests)
    faults |= {file.name: NotBrought("missing") for file in wanted if not file.url}
    brought = [file for file in wanted if file.url]
    failed = downloader.fetch(brought, target)
    if failed:
        fresh = list_outputs(kernels, slug, version).urls
        again = [RemoteFile(f.name, fresh.get(f.name, f.url), f.bytes, f.sha256) for f in brought if f.name in failed]
        failed = downloader.fetch(again, target)
    faults |= failed
    for name, data in manifests.items():
        make_folder((target / name).parent)
        commit_bytes(target / name, data)
    files = [file.name for file in brought if file.name not in failed] + list(manifests)
    if listing.log:
        commit_bytes(target / LOG_NAME, "".join(log_pieces(listing.log)).encode("utf-8"))
        files.append(LOG_NAME)
    lines = tuple(f"{name}: {fault.reason}" for name, fault in sorted(faults.items()))
    unreachable = any(fault.passing for fault in faults.values())
    return FetchReport(target, tuple(files), bool(manifests) and not lines, lines, unreachable)


def _manifests(urls: Mapping[str, str], downloader: Downloader) -> tuple[dict[str, bytes], dict[str, NotBrought]]:
    """Return the output manifests that can be read, by name, and what is wrong with the others."""
    names = [name for name in urls if name.endswith(f"/{OUTPUT_MANIFEST_NAME}") and name.count("/") == 1]
    found: dict[str, bytes] = {}
    with tempfile.TemporaryDirectory() as folder:
        files = [RemoteFile(name, urls[name]) for name in names]
        faults = downloader.fetch(files, Path(folder))
        for name in names:
            if name not in faults:
                data = (Path(folder) / name).read_bytes()
                try:
                    parse_manifest(name, data)
                    found[name] = data
                except SessionFailedError as fault:
                    faults[name] = NotBrought(str(fault.found))
    return found, faults


def parse_manifest(name: str, data: bytes) -> OutputManifest:
    """Return the manifest.

    Raises:
        SessionFailedError: it is malformed.
    """
    try:
        value = json.loads(data)
    except ValueError as fault:
        raise SessionFailedError("The output manifest is no JSON.", where=name, found=str(fault)) from None
    return parse_document(OutputManifest, value, name, SessionFailedError)


def _wanted(urls: Mapping[str, str], manifests: Mapping[str, bytes]) -> list[RemoteFile]:
    """Return the files to bring; one that is named but not listed has no address."""
    files: dict[str, RemoteFile] = {}
    for manifest_name, data in manifests.items():
        section = manifest_name.split("/", 1)[0]
        for name, entry in parse_manifest(manifest_name, data).files.items():
            full = f"{section}/{name}"
            files[full] = RemoteFile(full, urls.get(full, ""), entry.bytes, entry.sha256)
    for name, url in urls.items():
        hidden = any(part.startswith(".") and not part.startswith("..") for part in name.split("/"))
        if not manifests and not hidden:
            files[name] = RemoteFile(name, url, None, chunk_digest(name))
    return list(files.values())
