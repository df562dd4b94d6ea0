"""The GPU quota as Kaggle told it last, kept beside the sessions so that nobody must ask in order to show it."""

from __future__ import annotations

import time
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from validation_ch7.errors import ValidationError, WorkspaceError
from validation_ch7.files import make_folder
from validation_ch7.journal import utc_text
from validation_ch7.schema import Document, load_json, parse_document
from validation_ch7.session import write_document

QUOTA_NAME = "kaggle_quota.json"
Seconds = Annotated[float, Field(ge=0)]


class QuotaAnswer(Document):
    """One answer about the GPU hours of the running week."""

    format: Literal["validation-ch7-quota"] = "validation-ch7-quota"
    version: Literal[1] = 1
    used_s: Seconds
    allowed_s: Seconds
    refresh: str = ""
    """When the week ends; UTC, ISO 8601."""
    asked: str
    """UTC, ISO 8601."""


def keep_quota(output: Path, used_s: float, allowed_s: float, refresh: datetime | None) -> None:
    """Keep what Kaggle has told just now in ``output``, the workspace's outputs.

    Raises:
        StorageError: the disk refused.
    """
    answer = QuotaAnswer(
        used_s=max(0.0, used_s),
        allowed_s=max(0.0, allowed_s),
        refresh="" if refresh is None else refresh.isoformat(),
        asked=utc_text(time.time()),
    )
    write_document(make_folder(output) / QUOTA_NAME, answer)


def read_quota(output: Path) -> QuotaAnswer | None:
    """Return the last answer, or None where there is none that can be read."""
    path = output / QUOTA_NAME
    if not path.is_file():
        return None
    try:
        return parse_document(QuotaAnswer, load_json(path, WorkspaceError), path, WorkspaceError)
    except ValidationError:
        return None  # the next answer replaces it
