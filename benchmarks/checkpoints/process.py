"""A process that trains from what a store holds, and says when it took its first step: ``process STORE ROWS``."""

from __future__ import annotations

import sys
from pathlib import Path

from stable_baselines3.common.callbacks import BaseCallback

from benchmarks.checkpoints.workloads import empty_dqn
from validation_ch7.checkpoints import CheckpointStore, learn_resumable


class Says(BaseCallback):
    """Says so at each step; whoever started this process ends it then."""

    def _on_step(self) -> bool:
        print("first step", flush=True)
        return True


if __name__ == "__main__":
    model = empty_dqn(int(sys.argv[2]))
    learn_resumable(model, 10**9, CheckpointStore(Path(sys.argv[1]), "bench"), callback=Says(), save_freq=10**9)
