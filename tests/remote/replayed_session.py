"""Stands for validation_ch7/training/run_session.py: leaves what a real session of 256 steps left before."""

import hashlib
import json
import os
import shutil
import time
from pathlib import Path

OUTPUTS = Path("@OUTPUTS@")


def run_session(plan_path, inputs, working, facts):
    behaviour = (OUTPUTS.parent / "behaviour").read_text()
    plan = json.loads(Path(plan_path).read_text(encoding="utf-8"))
    outputs = working / plan["section"]
    while behaviour == "waits" and not (OUTPUTS.parent / "go").exists():
        time.sleep(0.02)
    if behaviour == "dies":
        os._exit(9)
    if behaviour == "fails early":
        raise RuntimeError("loss is nan")
    if not [path for steps in (256, 384) for path in inputs.rglob(f"*_checkpoint_{steps}_steps.zip")]:
        raise RuntimeError("the checkpoint at 256 steps, or the one on the way from there, did not come")
    shutil.copytree(OUTPUTS, outputs)
    for path in outputs.rglob("output_manifest.json"):
        path.unlink()
    summary_path = outputs / "session_summary.json"
    summary = {**json.loads(summary_path.read_text()), "session_id": plan["session_id"], "environment": facts}
    summary_path.unlink()
    if behaviour == "hangs late":
        time.sleep(600)
    if behaviour == "fails late":
        summary |= {"status": "failed", "error": "RuntimeError: loss is nan"}
    if behaviour == "many files":
        (outputs / "many").mkdir()
        for number in range(600):
            (outputs / "many" / f"{number}.txt").write_text(str(number))
    summary_path.write_text(json.dumps(summary), encoding="utf-8")
    files = {
        path.relative_to(outputs).as_posix(): {
            "bytes": path.stat().st_size,
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        }
        for path in sorted(outputs.rglob("*"))
        if path.is_file()
    }
    manifest = {"session_id": plan["session_id"], "files": files}
    (outputs / "output_manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    print("replayed", flush=True)
    return 4 if behaviour == "fails late" else 0
