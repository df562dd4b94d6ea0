"""Dashboards made up for the tests: a small one, one full of hostile texts, one of many sessions and points."""

from __future__ import annotations

import math
from dataclasses import replace

from validation_ch7.reporting.curves import (
    EVALUATED,
    SPREAD,
    TRAINED,
    Border,
    Curve,
    Series,
    thin_curve,
)
from validation_ch7.reporting.dashboard.view import (
    CheckpointRow,
    Dashboard,
    Disk,
    DiskPart,
    LogTail,
    Quota,
    SessionRow,
    Summary,
    Tone,
)

START = 1_790_000_000.0
HOUR = 3600.0
HOSTILE = (
    "</script><script>window.hit=1</script><img src=x onerror=window.hit=1>"
    "\"'`onmouseover=window.hit=1 {{7*7}} ${window.hit=1} \u202egnp.exe\u202c \x1b[2J\x00 " + "wide" * 500
)
SUMMARY = Summary(
    title="traffic_light_control",
    subtitle="section_7_6_rl_performance",
    algorithm="PPO",
    steps=30_000,
    target_steps=200_000,
    last_reward=-139.9,
    best_reward=-120.5,
    best_steps=20_000,
    exactness="exact",
    newest="traffic_light_control_checkpoint_30000_steps.zip",
    saved="2026-11-25T22:45:51Z",
    next_command="python -m validation_ch7 run",
    next_reason="goes on from step 30,000",
)
TONES = (Tone.GOOD, Tone.PAUSED, Tone.BAD)


def session(number: int, tone: Tone = Tone.GOOD, backend: str = "local", **changes: object) -> SessionRow:
    words = {Tone.GOOD: "completed", Tone.BUSY: "submitted", Tone.PAUSED: "interrupted", Tone.BAD: "failed"}
    began = START + number * 2 * HOUR
    row = SessionRow(
        number=number,
        session_id=f"20260101-000000-{number:06x}",
        backend=backend,
        state=words[tone],
        tone=tone,
        created="2026-01-01T00:00:00Z",
        began=began,
        ended=None if tone is Tone.BUSY else began + HOUR,
        seconds=HOUR,
        steps_before=(number - 1) * 10_000,
        steps_after=None if tone is Tone.BUSY else number * 10_000,
        reward=-200.0 + number if tone is Tone.GOOD else None,
        error="out of memory" if tone is Tone.BAD else "",
    )
    return replace(row, **changes)  # type: ignore[arg-type]


def checkpoint(steps: int, **changes: object) -> CheckpointRow:
    row = CheckpointRow(
        kind="checkpoint",
        name=f"a_checkpoint_{steps}_steps.zip",
        steps=steps,
        bytes=9_000_000,
        own_bytes=2_000_000,
        created="2026-01-01T00:00:00Z",
        exactness="exact",
        lost="",
        reward=-130.0,
        train_reward=None,
        session_id="20260101-000000-000001",
        digest=f"{steps:012x}",
        parent=f"{steps - 10_000:012x}",
        parent_steps=steps - 10_000,
        verified="ok",
        tone=Tone.GOOD,
        fit="compatible",
    )
    return replace(row, **changes)  # type: ignore[arg-type]


def curve(points: int, sessions: int = 3) -> Curve:
    steps = tuple(range(20, 20 * points + 1, 20))
    values = tuple(-200 + 80 * (1 - math.exp(-step / (5 * points))) + 3 * math.sin(step) for step in steps)
    each = max(1, points // sessions)
    return Curve(
        Series(TRAINED, steps, tuple(value - 20 for value in values), points),
        Series(EVALUATED, steps, values, points),
        Series(SPREAD, steps, (4.0,) * points, points),
        (Series("eval/mean_delay_s", steps, values, points), Series("train/loss", steps, values, points)),
        tuple(Border(steps[at], f"s{at}") for at in range(each, points, each)),
    )


def small() -> Dashboard:
    return Dashboard(
        written="2026-11-25T22:54:00.000Z",
        summary=SUMMARY,
        sessions=(session(3, Tone.BUSY, "kaggle"), session(2, Tone.BAD, "kaggle"), session(1)),
        checkpoints=(
            checkpoint(30_000, marks=("next",), fit="compatible, 1 difference(s)", differences=("gamma: a, b",)),
            checkpoint(20_000, tone=Tone.BAD, verified="damaged", reason="member policy.pth differs", fit=""),
        ),
        curve=curve(12),
        disk=Disk((DiskPart("checkpoints", 18_000_000), DiskPart("backups", 3_000_000)), 27_000_000, 10**11),
        quota=Quota(72_000.0, 108_000.0, "2026-11-25T20:00:00Z"),
        log=LogTail("one", "results/one/session.log", ("[TRAINING] 10 / 20 steps", "[TRAINING] completed")),
        faults=("two.json in the journal cannot be read: no JSON",),
    )


def hostile() -> Dashboard:
    """Every text that comes from a file is hostile."""
    view = small()
    bad = session(1, Tone.BAD, HOSTILE, session_id=HOSTILE, state=HOSTILE, created=HOSTILE, error=HOSTILE)
    texts = {"exactness", "lost", "created", "verified", "reason", "fit", "name"}
    row = checkpoint(10, differences=(HOSTILE,), session_id=HOSTILE, **dict.fromkeys(texts, HOSTILE))
    names = {"title", "subtitle", "algorithm", "exactness", "newest", "saved", "next_command", "next_reason"}
    lines = replace(view.curve, metrics=(Series(HOSTILE, (1, 2), (1.0, 2.0), 2),), borders=(Border(40, HOSTILE),))
    return replace(
        view,
        summary=replace(view.summary, **dict.fromkeys(names, HOSTILE)),
        sessions=(bad,),
        checkpoints=(row,),
        curve=lines,
        disk=Disk((DiskPart(HOSTILE, 5),), 5, 5),
        quota=Quota(1.0, 2.0, HOSTILE, HOSTILE),
        log=LogTail(HOSTILE, HOSTILE, (HOSTILE, HOSTILE)),
        faults=(HOSTILE,),
    )


def large(sessions: int = 1_000, points: int = 10_000) -> Dashboard:
    rows = tuple(session(number, TONES[number % 3], "kaggle") for number in range(sessions, 0, -1))
    return replace(
        small(),
        summary=replace(SUMMARY, steps=sessions * 10_000, target_steps=12_000_000),
        sessions=rows,
        checkpoints=tuple(checkpoint(steps) for steps in range(500_000, 0, -10_000)),
        curve=thin_curve(curve(points, sessions)),
    )
