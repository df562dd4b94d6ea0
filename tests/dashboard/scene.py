"""A plausible chain for pictures: eleven sessions on Kaggle and here, one failed, one under way, one study recorded."""

from __future__ import annotations

import math
import time
from dataclasses import replace

from tests.dashboard.views import HOUR, START, SUMMARY, checkpoint, session, small
from validation_ch7.reporting.curves import EVALUATED, SPREAD, TRAINED, Border, Curve, Series
from validation_ch7.reporting.dashboard.view import Dashboard, Disk, DiskPart, Evidence, LogTail, Score, Tone

_TONES = {4: Tone.PAUSED, 7: Tone.BAD, 11: Tone.BUSY}


def scene() -> Dashboard:
    rows, clock, done = [], START, 0
    for number in range(1, 12):
        tone = _TONES.get(number, Tone.GOOD)
        hours = {Tone.BAD: 0.6, Tone.PAUSED: 5.2}.get(tone, 8.4 + math.sin(number))
        gained = {Tone.BAD: 0, Tone.BUSY: 0}.get(tone, int(hours * 18_000))
        row = session(
            number, tone, "local" if number in (1, 5) else "kaggle", began=clock, seconds=hours * HOUR,
            ended=None if tone is Tone.BUSY else clock + hours * HOUR, steps_before=done,
            steps_after=None if tone is Tone.BUSY else done + gained, created=_iso(clock),
            session_id=f"{_digits(_iso(clock)[:10])}-{_digits(_iso(clock)[11:19])}-{number * 7919 % 65536:06x}",
            reward=None if tone is not Tone.GOOD else -150 + 95 * (1 - math.exp(-done / 400_000)),
            error="the session ended as error: CUDA out of memory" if tone is Tone.BAD else "",
        )  # fmt: skip
        rows.append(row)
        done += gained
        clock += hours * HOUR + 2.3 * HOUR
    steps = tuple(range(20_000, done + 1, 20_000))
    rising = tuple(-150 + 95 * (1 - math.exp(-step / 400_000)) + 2.5 * math.sin(step / 37_000) for step in steps)
    spread = tuple(6 + 10 * math.exp(-step / 500_000) for step in steps)
    noisy = tuple(value - 14 + 4 * math.sin(step / 9_000) for step, value in zip(steps, rising, strict=True))
    delay = Series("eval/mean_delay_s", steps, tuple(12 - value / 4 for value in rising), len(steps))
    lines = Curve(
        Series(TRAINED, steps, noisy, len(steps)), Series(EVALUATED, steps, rising, len(steps)),
        Series(SPREAD, steps, spread, len(steps)), (delay,),
        tuple(Border(row.steps_before, row.session_id) for row in rows[1:] if row.steps_before),
    )  # fmt: skip
    best = max(range(len(rising)), key=rising.__getitem__)
    saved = [
        checkpoint(step, marks=("next",) if step == done else (), created=_iso(clock - index * 9 * HOUR),
                   session_id=rows[9 - index].session_id, parent_steps=step - 160_000, reward=rising[-1 - 8 * index],
                   fit="compatible" if index else "compatible, 1 difference(s)",
                   differences=() if index else ("learning_rate: checkpoint=0.0003, current=0.0001",))
        for index, step in enumerate((done, done - 160_000))
    ]  # fmt: skip
    damaged = checkpoint(
        done - 320_000, verified="damaged", tone=Tone.BAD, fit="", reason="member policy.pth: digest differs"
    )
    study = Evidence(
        "main: near saturation (v/c 0.95)", _iso(clock),
        tuple(Score(name, "mean delay [s]", mean, mean - half, mean + half, 100) for name, mean, half in (
            ("ppo (trained)", 24.1, 0.9), ("max_pressure", 27.8, 0.7), ("actuated", 29.9, 0.8), ("webster", 34.2, 1.0),
            ("fixed_time", 41.0, 1.3))),
        "Made-up numbers, for this picture only.",
    )  # fmt: skip
    parts = (
        ("checkpoints", 21),
        ("replay chunks", 310),
        ("best model", 9),
        ("backups", 64),
        ("results of sessions", 120),
    )
    lines_of_log = tuple(
        f"[TRAINING] {done + 2048 * n:,} / 2,000,000 steps  1,{n}14 steps/s  reward -{60 - n}.3" for n in range(1, 9)
    )
    return replace(
        small(),
        written=_iso(clock + HOUR),
        summary=replace(SUMMARY, steps=done, target_steps=2_000_000, last_reward=rows[-2].reward,
                        best_reward=rising[best], best_steps=steps[best], saved=_iso(clock),
                        next_reason=f"attaches to session {rows[-1].session_id}, which was left submitted"),
        sessions=tuple(reversed(rows)),
        checkpoints=(*saved, damaged),
        curve=lines,
        disk=Disk(tuple(DiskPart(name, size * 1_000_000) for name, size in parts), 900_000_000, 38_000_000_000),
        evidence=(study,),
        faults=(),
        log=LogTail(rows[-1].session_id, "local_sessions/…/session.log", lines_of_log),
    )  # fmt: skip


def _digits(text: str) -> str:
    return "".join(sign for sign in text if sign.isdigit())


def _iso(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
