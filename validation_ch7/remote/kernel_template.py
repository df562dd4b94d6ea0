"""A training session on a machine that knows nothing of it: find the bundle, check it, run it.

This file is the whole kernel. It uses the standard library only, because on the machine of the session
nothing else is sure to be there; the constants are filled in when the session is submitted. What it does,
in order: find the bundle below the input folder, verify every byte of it, unpack it outside the output
folder, take the checkpoint from the output of an earlier kernel where it is to be found there, put the
unpacked code first, make stable-baselines3 importable without a network, look at GPU and network, and hand
over to the code. If anything fails on the way, it says so in
session_summary.json and exits non-zero: a session that did not run must not look like one that did.
"""

from __future__ import annotations

import ctypes
import hashlib
import importlib
import importlib.util
import json
import os
import platform
import shutil
import socket
import sys
import tempfile
import threading
import time
import traceback
import zipfile
from pathlib import Path
from typing import IO, Any

SESSION_ID = "@SESSION_ID@"
BUNDLE_SHA256 = "@BUNDLE_SHA256@"
SECTION = "@SECTION@"
PLAN = "@PLAN@"  # JSON; empty where the plan travels in the bundle
INHERITED = "@INHERITED@"  # JSON: what an earlier kernel's output must hold, with sizes and digests

BUNDLE_NAME = "validation_session.bundle"
INDEX_NAME = "bundle.json"
PLAN_NAME = "session_plan.json"
HANDED_ON = ".handed-on"
BLOCK = 1 << 20
LOOK_UP_S = 2.0


class BundleFault(Exception):
    """The bundle is missing, damaged, or not the one that this session was submitted with."""


def say(text: str) -> None:
    """Print one line of the log at once."""
    print(f"[SESSION] {text}", flush=True)  # noqa: T201 - the log of a kernel is its standard output


def find_bundle(root: Path) -> Path:
    """Return the bundle below ``root``, wherever the platform mounted it."""
    found = sorted(root.rglob(BUNDLE_NAME)) if root.is_dir() else []
    files = [path for path in found if path.is_file()]
    for path in files:
        if index_digest(path) == BUNDLE_SHA256:
            return path
    seen = ", ".join(str(path) for path in files) or "none"
    raise BundleFault(f"No bundle {BUNDLE_SHA256[:12]} below {root}; bundles there: {seen}")


def index_digest(bundle: Path) -> str:
    """Return the digest of the bundle's index, which names the digest of everything else in it."""
    try:
        with zipfile.ZipFile(bundle) as archive:
            return hashlib.sha256(archive.read(INDEX_NAME)).hexdigest()
    except (zipfile.BadZipFile, KeyError, OSError, EOFError, NotImplementedError) as fault:
        return f"unreadable: {fault}"


def unpack(bundle: Path, target: Path, expected_sha256: str) -> dict[str, Any]:
    """Unpack ``bundle`` into ``target`` and return its index; every byte is checked on the way."""
    found = index_digest(bundle)
    if found != expected_sha256:
        raise BundleFault(f"{bundle}: expected bundle {expected_sha256}, found {found}")
    with zipfile.ZipFile(bundle) as archive:
        index: dict[str, Any] = json.loads(archive.read(INDEX_NAME))
        for name, entry in index["members"].items():
            try:
                extract(archive, name, entry, member_path(target, name))
            except (KeyError, zipfile.BadZipFile, EOFError) as fault:
                raise BundleFault(f"{name}: {fault}") from fault
    if code_digest_of(index["members"]) != index["code_sha256"]:
        raise BundleFault(f"{bundle}: its code is not the code that it names")
    return index


def extract(archive: zipfile.ZipFile, name: str, entry: dict[str, Any], path: Path) -> None:
    """Write one member to ``path``, in blocks, and check its size and digest."""
    with archive.open(name) as source:
        if not write_checked(source, entry, path):
            raise BundleFault(f"{name}: content differs from its digest")


def write_checked(source: IO[bytes], entry: dict[str, Any], path: Path) -> bool:
    """Write ``source`` to ``path``, in blocks, and return whether it has the size and the digest of ``entry``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    digest, size = hashlib.sha256(), 0
    with path.open("wb") as sink:
        while size <= entry["bytes"] and (block := source.read(BLOCK)):  # no more than was promised
            digest.update(block)
            size += len(block)
            sink.write(block)
    return bool(size == entry["bytes"] and digest.hexdigest() == entry["sha256"])


def inherit(root: Path, target: Path, inherited: dict[str, Any]) -> None:
    """Bring what this session resumes from out of the output of an earlier kernel, wherever it is mounted."""
    names = {name.rsplit("/", 1)[-1] for name in inherited} | {e["sha256"] + HANDED_ON for e in inherited.values()}
    found: dict[str, list[Path]] = {}
    for path in sorted(root.rglob("*")) if inherited else ():
        if path.name in names and path.is_file():
            found.setdefault(path.name, []).append(path)
    for name, entry in inherited.items():
        places = found.get(name.rsplit("/", 1)[-1], []) + found.get(entry["sha256"] + HANDED_ON, [])
        if not any(take_over(place, entry, member_path(target, name)) for place in places):
            seen = ", ".join(map(str, places)) or "nothing of its name"
            raise BundleFault(f"{name} ({entry['sha256'][:12]}) is not in the output of a kernel below {root}: {seen}")


def take_over(place: Path, entry: dict[str, Any], path: Path) -> bool:
    """Copy one file that an earlier kernel left and return whether it is the one that was expected."""
    if place.stat().st_size != entry["bytes"]:
        return False
    with place.open("rb") as source:
        return write_checked(source, entry, path)


def hand_on(outputs: Path, target: Path) -> None:
    """Leave every archive a second time under a name that no platform unpacks, for the kernel that reads it."""
    target.mkdir(parents=True, exist_ok=True)
    for path in sorted(outputs.rglob("*.zip")):
        with path.open("rb") as stream:
            name = hashlib.file_digest(stream, "sha256").hexdigest() + HANDED_ON
        shutil.copyfile(path, target / name)


def member_path(target: Path, name: str) -> Path:
    """Return where the member goes, refusing every name that would leave ``target``."""
    parts = name.split("/")
    if "\\" in name or ":" in name or "\0" in name or any(part in ("", ".", "..") for part in parts):
        raise BundleFault(f"A member's name would leave its folder: {name!r}")
    return target.joinpath(*parts)


def code_digest_of(members: dict[str, Any]) -> str:
    """Return the digest of the code: of the names and digests of all members below code/."""
    lines = [f"{entry['sha256']}  {name}\n" for name, entry in sorted(members.items()) if name.startswith("code/")]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def check_plan(plan: dict[str, Any], index: dict[str, Any], inherited: dict[str, Any]) -> None:
    """Refuse to run another session's plan, old code, or a start from zero where a parent was expected."""
    if plan["session_id"] != SESSION_ID:
        raise BundleFault(f"The plan is of session {plan['session_id']}, expected {SESSION_ID}")
    if plan["code_sha256"] != index["code_sha256"]:
        raise BundleFault(f"The code is {index['code_sha256']}, the plan expects {plan['code_sha256']}")
    names = [*index["members"], *inherited]
    checkpoints = [name for name in names if name.startswith("checkpoints/") and name.endswith(".zip")]
    if plan["parent"] and not checkpoints:
        raise BundleFault(f"The plan resumes from {plan['parent'][:12]}, but the bundle carries no checkpoint")


def add_wheels(wheels: Path, site: Path) -> str:
    """Make stable-baselines3 importable without a network and return where it comes from."""
    if importlib.util.find_spec("stable_baselines3") is not None:
        return "image"
    for wheel in sorted(wheels.glob("*.whl")):
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(site)  # pure Python only; extractall confines the names
    sys.path.insert(1, str(site))  # before the image's, after our code: the versions that were tried at home
    importlib.invalidate_caches()
    return "bundle" if importlib.util.find_spec("stable_baselines3") is not None else "missing"


def gpu_count() -> int:
    """Return how many CUDA devices the driver offers, without importing torch."""
    for library in ("libcuda.so.1", "nvcuda.dll"):
        try:
            driver = ctypes.CDLL(library)
        except OSError:
            continue
        count = ctypes.c_int(0)
        if driver.cuInit(0) == 0 and driver.cuDeviceGetCount(ctypes.byref(count)) == 0:
            return count.value
    return 0


def look_up(host: str, answer: list[str]) -> None:
    """Append "yes" to ``answer`` if the name of ``host`` can be resolved."""
    try:
        socket.getaddrinfo(host, 443)
    except OSError:
        return
    answer.append("yes")


def main() -> int:
    """Run the session and return its exit status."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(encoding="utf-8", errors="replace")  # type: ignore[union-attr]
    working = Path(os.environ.get("VALIDATION_WORKING_ROOT", "/kaggle/working"))
    scratch = Path(tempfile.mkdtemp(prefix="validation_session_", dir=os.environ.get("VALIDATION_SCRATCH_ROOT")))
    plan: dict[str, Any] = {}
    try:
        return run(working, scratch, plan)
    except BaseException as fault:
        if isinstance(fault, SystemExit) and fault.code in (0, None):
            raise
        traceback.print_exc()
        write_failure(working / SECTION, plan, fault)
        raise
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def run(working: Path, scratch: Path, plan: dict[str, Any]) -> int:
    """Prepare the machine, hand over to the code of the bundle, and return its exit status."""
    network: list[str] = []
    looking = threading.Thread(target=look_up, args=("www.kaggle.com", network), daemon=True)
    looking.start()
    root = Path(os.environ.get("VALIDATION_INPUT_ROOT", "/kaggle/input"))
    bundle = find_bundle(root)
    say(f"session {SESSION_ID}, bundle {bundle} ({bundle.stat().st_size} bytes)")
    index = unpack(bundle, scratch, BUNDLE_SHA256)
    if PLAN:
        (scratch / PLAN_NAME).write_text(PLAN, encoding="utf-8")
    plan.update(json.loads((scratch / PLAN_NAME).read_text(encoding="utf-8")))
    inherited = json.loads(INHERITED) if INHERITED else {}
    check_plan(plan, index, inherited)
    inherit(root, scratch, inherited)
    if inherited:
        say(f"{len(inherited)} file(s) taken from the output of the kernel before, every byte checked")
    code = settle_code(scratch / "code", index)
    sys.path.insert(0, str(code))
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(code), os.environ.get("PYTHONPATH")]))
    looking.join(LOOK_UP_S)
    facts = {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpus": str(os.cpu_count()),
        "stable_baselines3": add_wheels(scratch / "wheels", scratch / "site"),
        "cuda_devices": str(gpu_count()),
        "network": network[0] if network else "no",
        "code_sha256": index["code_sha256"],
        "bundle_sha256": BUNDLE_SHA256,
        "run_type": os.environ.get("KAGGLE_KERNEL_RUN_TYPE", "local"),
    }
    say(", ".join(f"{key}={value}" for key, value in facts.items() if not key.endswith("sha256")))
    room = importlib.import_module("validation_ch7.training.run_session")
    if code.resolve() not in Path(str(room.__file__)).resolve().parents:
        raise BundleFault(f"The code that was imported is not the bundle's: {room.__file__}")
    status = int(room.run_session(scratch / PLAN_NAME, scratch / "checkpoints", working, facts))
    if PLAN:
        hand_on(working / SECTION, working / "handed_on")
    return status


def settle_code(code: Path, index: dict[str, Any]) -> Path:
    """Return where the code runs: where it always runs on this machine, so that what it compiles is found again."""
    root = os.environ.get("VALIDATION_CODE_ROOT")
    if not root:
        return code
    target = Path(root) / str(index["code_sha256"])[:16]
    if not same_code(target, index):
        shutil.rmtree(target, ignore_errors=True)
        partial = Path(tempfile.mkdtemp(prefix=".partial-", dir=root))
        shutil.copytree(code, partial, dirs_exist_ok=True)
        try:
            partial.replace(target)
        except OSError:  # another session was faster, or holds it open
            shutil.rmtree(partial, ignore_errors=True)
            return target if same_code(target, index) else code
    return target


def same_code(folder: Path, index: dict[str, Any]) -> bool:
    """Whether ``folder`` holds the code of the bundle, byte by byte, and no other source."""
    wanted = {name[5:]: entry["sha256"] for name, entry in index["members"].items() if name.startswith("code/")}
    found = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*.py")}
    if set(found) != {name for name in wanted if name.endswith(".py")}:
        return False
    try:
        return all(
            hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest for name, digest in wanted.items()
        )
    except OSError:
        return False


def write_failure(folder: Path, plan: dict[str, Any], fault: BaseException) -> None:
    """Leave a summary that says what went wrong, unless the session itself has already left one."""
    path = folder / "session_summary.json"
    if path.exists():
        return
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    summary = {
        "format": "validation-ch7-session-summary",
        "version": 1,
        "session_id": SESSION_ID,
        "section": SECTION,
        "scenario": plan.get("scenario", ""),
        "status": "interrupted" if isinstance(fault, KeyboardInterrupt) else "failed",
        "steps_before": 0,
        "steps_after": 0,
        "stop_at": plan.get("stop_at", 0),
        "target_steps": plan.get("target_steps", 0),
        "error": f"{type(fault).__name__}: {fault}"[:4000],
        "started": now,
        "ended": now,
    }
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
