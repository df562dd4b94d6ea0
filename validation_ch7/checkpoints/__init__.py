"""Exact, crash-safe and cheap checkpoints for Stable-Baselines3, on any environment."""

from validation_ch7.checkpoints.best import save_best
from validation_ch7.checkpoints.callback import RotatingCheckpointCallback
from validation_ch7.checkpoints.latest import find_latest_checkpoint
from validation_ch7.checkpoints.learn import LearnResult, learn_resumable
from validation_ch7.checkpoints.loop import Deadline
from validation_ch7.checkpoints.resumable_env import ResumableEnv
from validation_ch7.checkpoints.retention import Retention
from validation_ch7.checkpoints.store import CheckpointStore

__all__ = [
    "CheckpointStore",
    "Deadline",
    "LearnResult",
    "ResumableEnv",
    "Retention",
    "RotatingCheckpointCallback",
    "find_latest_checkpoint",
    "learn_resumable",
    "save_best",
]
