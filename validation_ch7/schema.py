"""The base of every document of this package: frozen, strict about keys, and clear about what is wrong.

Configuration, manifests, journals and summaries are all read through :func:`parse_document`, so that one
place decides how a wrong document is reported: every fault at once, each with its key.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ConfigDict
from pydantic import ValidationError as PydanticError

from validation_ch7.errors import ConfigurationError, ValidationError
from validation_ch7.masking import masked_text

MAX_DOCUMENT_BYTES = 64 << 20
_NEVER_SHOWN = frozenset({"notify"})
"""Keys below which somebody may have written a secret."""


class Document(BaseModel):
    """A frozen value with known keys only; numbers must be finite."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)


D = TypeVar("D", bound=Document)


def parse_document(
    model: type[D],
    data: Any,
    where: object,
    error: type[ValidationError] = ConfigurationError,
    remedy: str = "correct the keys named above, then run the same command again",
) -> D:
    """Return ``data`` as a ``model``.

    Raises:
        error: some keys are unknown, missing or have wrong values; all of them are named.

    >>> class Point(Document):
    ...     x: float
    >>> parse_document(Point, {"x": "1e-3"}, "a.yml").x
    0.001
    """
    try:
        return model.model_validate(data)
    except PydanticError as fault:
        raise error(
            f"{len(fault.errors())} value(s) cannot be used.",
            where=where,
            found=_faults(model, fault),
            remedy=remedy,
        ) from None


def _faults(model: type[Document], fault: PydanticError) -> str:
    lines = []
    for item in fault.errors():
        key = ".".join(str(part) for part in item["loc"]) or "the document"
        hidden = item["type"] in ("missing", "extra_forbidden") or not _NEVER_SHOWN.isdisjoint(item["loc"])
        found = "" if hidden else f", found {_short(item['input'])}"
        lines.append(f"{key}: {_fault(model, item)}{found}{_meaning(model, item['loc'])}")
    return "\n            ".join(lines)


def _fault(model: Any, item: Any) -> str:
    """Return what is wrong with a value; where a document is expected, with its keys and not with its class."""
    if item["type"] not in ("model_type", "model_attributes_type"):
        return str(item["msg"])
    for key in item["loc"]:
        field = getattr(model, "model_fields", {}).get(key)
        model = model if field is None else _document_in(field.annotation)  # a name in a mapping is no field
    return f"Input should be a mapping with the keys {', '.join(getattr(model, 'model_fields', {}))}"


def _meaning(model: Any, keys: tuple[int | str, ...]) -> str:
    """Return what the value is, with its unit, as the field's docstring says it; nothing where there is none."""
    description = ""
    for key in (key for key in keys if isinstance(key, str)):
        field = getattr(model, "model_fields", {}).get(key)
        if field is None:
            return ""
        description, model = field.description or "", _document_in(field.annotation)
    first = description.partition("\n")[0].rstrip(".")
    return f" ({first})" if first else ""


def _document_in(annotation: Any) -> Any:
    if isinstance(annotation, type) and issubclass(annotation, Document):
        return annotation
    return next(filter(None, map(_document_in, get_args(annotation))), None)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def load_yaml(path: Path, flag: str = "--config", like: str = "section.yml") -> dict[str, Any]:
    """Return the mapping that the YAML file holds.

    Args:
        path: the file.
        flag: names such a file on the command line.
        like: name of the file that shows how one looks.

    Raises:
        ConfigurationError: the file is missing, unreadable, no valid YAML, or no mapping.
    """
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as fault:
        raise ConfigurationError(
            "The configuration file cannot be read.",
            where=path,
            found=str(fault),
            remedy=f"give an existing UTF-8 YAML file with {flag}",
        ) from None
    except yaml.YAMLError as fault:
        raise ConfigurationError(
            "The configuration file is not valid YAML.",
            where=path,
            found=masked_text(" ".join(str(fault).split())),
            remedy="correct the line named above; indentation is made of spaces",
        ) from None
    if not isinstance(data, Mapping):
        raise ConfigurationError(
            "The configuration file must hold keys and values.",
            where=path,
            expected="a mapping such as 'seed: 42'",
            found=type(data).__name__,
            remedy=f"compare it with validation_ch7/section_7_6_rl_performance/{like}",
        )
    return {str(key): value for key, value in data.items()}


def load_json(path: Path, error: type[ValidationError]) -> Any:
    """Return the value that the JSON file holds.

    Raises:
        error: the file is missing, unreadable, too large or no valid JSON.
    """
    try:
        if path.stat().st_size > MAX_DOCUMENT_BYTES:
            raise ValueError(f"larger than {MAX_DOCUMENT_BYTES} bytes")
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as fault:
        raise error(
            "A document cannot be read.",
            where=path,
            expected="UTF-8 JSON",
            found=str(fault),
            remedy="it is written by this package: restore it from a backup, or remove it",
        ) from None
