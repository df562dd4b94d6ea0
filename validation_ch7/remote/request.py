"""The request of one session: what it carries, and what it finds where it runs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol, runtime_checkable

from validation_ch7.files import sha256_file, storage_errors
from validation_ch7.remote.backend import Backend, SessionRequest
from validation_ch7.remote.bundle import build_bundle
from validation_ch7.remote.collect import chunk_digest
from validation_ch7.remote.kernel_script import render_kernel_script
from validation_ch7.remote.wheels import session_wheels
from validation_ch7.session import OutputFile, SessionPlan

MAX_INHERITED = 3000
"""Files that may be named in the text of a kernel, which the service limits to about a megabyte."""


@runtime_checkable
class Relaying(Protocol):
    """A backend whose sessions can read what an earlier one left."""

    def holder(self, title: str, files: Mapping[str, OutputFile]) -> str:
        """Return the kernel whose output holds all of ``files``, or nothing where there is none."""
        ...


def prepare(
    backend: Backend,
    plan: SessionPlan,
    files: Mapping[str, Path],
    code_root: Path,
    output: Path,
    *,
    relay: bool,
    title: str | None = None,
) -> SessionRequest:
    """Build the bundle of a session and return its request.

    Args:
        files: what the session needs of the training tree, by its name in the bundle.
        output: the folder that holds bundles and wheels.
        relay: whether the session may read the checkpoint from the output of an earlier one.
        title: from which the names on the service are derived; default: section and scenario.

    Raises:
        ConfigurationError: a file must not travel.
        StorageError: a file cannot be read, or the bundle cannot be written.
    """
    title = title or f"{plan.section} {plan.scenario}".replace("_", " ")
    folder = output / "bundles" / plan.section / plan.scenario
    wheels = [] if backend.name == "local" else session_wheels(output / "wheels")
    relaying = backend if relay and isinstance(backend, Relaying) else None
    told, taken, holder = plan, {}, ""
    if relaying is not None:
        taken = _facts(files) if len(files) <= MAX_INHERITED else {}
        holder = relaying.holder(title, taken)
        files, taken = ({}, taken) if holder else (files, {})
        folder /= "relay" if files else "code"
    carried = None if relaying is not None else plan
    bundle = build_bundle(folder, plan=carried, code_root=code_root, files=files, wheels=wheels)
    told = plan.model_copy(update={"code_sha256": bundle.code_sha256})
    return SessionRequest(
        session_id=plan.session_id,
        section=plan.section,
        title=title,
        script=render_kernel_script(plan.session_id, bundle.sha256, plan.section, None if carried else told, taken),
        bundle=bundle.path,
        bundle_sha256=bundle.sha256,
        limit_s=plan.limit_s,
        relay=relaying is not None,
        carries=bool(files) or relaying is None,
        parent_kernel=holder,
    )


def _facts(files: Mapping[str, Path]) -> dict[str, OutputFile]:
    """Return size and digest of each file; a replay chunk carries its digest in its name."""
    facts = {}
    for name, path in files.items():
        with storage_errors(path):
            facts[name] = OutputFile(bytes=path.stat().st_size, sha256=chunk_digest(name) or sha256_file(path))
    return facts
