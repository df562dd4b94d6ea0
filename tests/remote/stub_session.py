"""Stands for validation_ch7/training/run_session.py in bundles of tests: obeys the plan's config, trains nothing.

Config keys: ``steps`` to add, ``wait_for`` a file, ``exit`` status, ``fail`` with a message, ``outputs`` by name,
``no_manifest``, ``die`` without a word, ``sigterm`` = save and exit 75 on request.
"""

import hashlib
import importlib.util
import json
import os
import signal
import sys
import time
import zipfile
from pathlib import Path


def run_session(plan_path, inputs, working, facts):
    plan = json.loads(Path(plan_path).read_text(encoding="utf-8"))
    config = plan["config"]
    outputs = working / plan["section"]
    outputs.mkdir(parents=True, exist_ok=True)
    stopped = []
    if config.get("sigterm"):
        signal.signal(signal.SIGTERM, lambda *_: stopped.append(True))
    for name in config.get("find", []):  # where a package would be imported from, without importing it
        spec = importlib.util.find_spec(name)
        print(f"{name}: {spec.origin if spec else 'missing'}", flush=True)
    for name, text in config.get("outputs", {}).items():
        path = outputs / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
    print("stub session begins", flush=True)  # whoever waits for this line may kill it, and its outputs are there
    while config.get("wait_for") and not Path(config["wait_for"]).exists() and not stopped:
        time.sleep(0.01)
    if config.get("die"):
        os._exit(9)
    if config.get("fail"):
        raise RuntimeError(config["fail"])
    parents = sorted(path.name for path in inputs.rglob("*.zip"))
    before = max((int(name.split("_")[-2]) for name in parents), default=0)
    status = "interrupted" if stopped else "completed"
    write(outputs, plan, facts, status, before, before + config.get("steps", 100))
    print(f"stub session ends at {before + config.get('steps', 100)}", flush=True)
    sys.stdout.flush()
    return 75 if stopped else config.get("exit", 0)


def write(outputs, plan, facts, status, before, after):
    checkpoint = outputs / "data" / "models" / "checkpoints" / f"{plan['scenario']}_checkpoint_{after}_steps.zip"
    checkpoint.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(checkpoint, "w") as archive:
        archive.writestr(zipfile.ZipInfo("steps"), f"checkpoint at {after}")
    chunk = hashlib.sha256(b"chunk").hexdigest()
    (checkpoint.parent / "replay").mkdir(exist_ok=True)
    (checkpoint.parent / "replay" / f"{chunk}.npz").write_bytes(b"chunk")
    summary = {
        "session_id": plan["session_id"],
        "section": plan["section"],
        "scenario": plan["scenario"],
        "status": status,
        "steps_before": before,
        "steps_after": after,
        "stop_at": plan["stop_at"],
        "target_steps": plan["target_steps"],
        "environment": facts,
    }
    (outputs / "session_summary.json").write_text(json.dumps(summary), encoding="utf-8")
    files = {
        path.relative_to(outputs).as_posix(): {
            "bytes": path.stat().st_size,
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        }
        for path in sorted(outputs.rglob("*"))
        if path.is_file()
    }
    if not plan["config"].get("no_manifest"):
        manifest = {"session_id": plan["session_id"], "files": files}
        (outputs / "output_manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
