"""Names that a remote service accepts, derived from ours."""

from __future__ import annotations

import re

from validation_ch7.files import sha256_bytes

MAX_SLUG = 50


def slugify(title: str) -> str:
    """Return the slug that Kaggle derives from a title.

    >>> slugify("RL: Section 7.6 (quick)")
    'rl-section-7-6-quick'
    """
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")


def session_slug(title: str, session_id: str) -> str:
    """Return the short, stable slug of one session; its last part is a digest of the session's id.

    >>> session_slug("section_7_6_rl_performance", "20260101T000000Z-ab12")
    'section-7-6-rl-performance-1e4b1b1d'
    """
    base = slugify(title)[: MAX_SLUG - 9].strip("-")
    return f"{base}-{sha256_bytes(session_id.encode())[:8]}".strip("-")
