"""What the documents tell a reader to type."""

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`(python [^`]+)`")
SHELLS = ("bash", "powershell")


@dataclass(frozen=True)
class Block:
    """One fenced block."""

    document: str
    language: str
    text: str


def blocks(*languages: str) -> list[Block]:
    found = []
    for path in DOCUMENTS:
        for language, text in _FENCE.findall(path.read_text(encoding="utf-8")):
            if not languages or language in languages:
                found.append(Block(path.relative_to(ROOT).as_posix(), language, text))
    return found


def commands() -> list[str]:
    """Return every shell command of the documents once: fenced ones, and those in `python ...` quotes."""
    lines = [line for block in blocks(*SHELLS) for line in block.text.splitlines()]
    lines += [quoted for path in DOCUMENTS for quoted in _INLINE.findall(path.read_text(encoding="utf-8"))]
    parts = [part.strip() for line in lines for part in line.split(" ; ")]
    return sorted({part for part in parts if part and not part.startswith("#")})


def starting_with(prefix: str) -> list[str]:
    return [command for command in commands() if command.startswith(prefix)]
