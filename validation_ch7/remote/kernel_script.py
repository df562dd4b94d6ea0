"""The text of the kernel: the template with the facts of one session filled in."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

from validation_ch7.errors import ConfigurationError
from validation_ch7.session import OutputFile, SessionPlan

_SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,119}")


def render_kernel_script(
    session_id: str,
    bundle_sha256: str,
    section: str,
    plan: SessionPlan | None = None,
    inherited: Mapping[str, OutputFile] | None = None,
) -> str:
    """Return the Python source that runs this session, on any backend.

    Args:
        plan: travels in the text, where the bundle does not carry it.
        inherited: what the session takes from the output of an earlier kernel, by its name in the bundle.

    Raises:
        ConfigurationError: a value could not stand in a program text or a path.

    >>> "SESSION_ID = 's-1'" in render_kernel_script("s-1", "0" * 64, "section_7_6_rl_performance")
    True
    """
    text = Path(__file__).with_name("kernel_template.py").read_text(encoding="utf-8")
    facts = {"SESSION_ID": session_id, "BUNDLE_SHA256": bundle_sha256, "SECTION": section}
    for name, value in facts.items():
        if not _SAFE.fullmatch(value):
            raise ConfigurationError(
                "A name of the session cannot be used.",
                where=name.lower(),
                expected="letters, digits, dot, dash and underscore",
                found=repr(value),
                remedy="give the section or session a plain name",
            )
        text = text.replace(f'"@{name}@"', repr(value))
    taken = {name: file.model_dump() for name, file in (inherited or {}).items()}
    carried = {"PLAN": plan.model_dump(mode="json") if plan else None, "INHERITED": taken}
    for name, content in carried.items():
        text = text.replace(f'"@{name}@"', repr(json.dumps(content, sort_keys=True) if content else ""))
    return text
