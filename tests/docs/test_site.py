"""The site builds without a warning and without the network; every page is on it; French pages say the same."""

import re
import subprocess
import sys
from importlib.util import find_spec

import pytest
import yaml

from tests.docs.documents import ROOT

DOCS = ROOT / "docs"
TRANSLATED = sorted(path.name for path in (DOCS / "fr").glob("*.md"))
_FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)


def pages(entries) -> set[str]:
    found = set()
    for entry in entries:
        values = entry.values() if isinstance(entry, dict) else [entry]
        for value in values:
            found |= pages(value) if isinstance(value, list) else {value}
    return found


def test_every_page_is_in_the_navigation() -> None:
    site = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
    assert pages(site["nav"]) == {path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md")}


@pytest.mark.parametrize("name", TRANSLATED)
def test_french_page_has_the_commands_and_the_parts_of_the_english_one(name: str) -> None:
    english, french = ((DOCS / part / name).read_text(encoding="utf-8") for part in (".", "fr"))
    assert _FENCE.findall(french) == _FENCE.findall(english)
    for parts in (r"^#+ ", r"^\|"):
        assert len(re.findall(parts, french, re.MULTILINE)) == len(re.findall(parts, english, re.MULTILINE))
    quoted = [set(re.findall(r"`(--[a-z-]+)", page)) for page in (french, english)]
    assert quoted[0] == quoted[1]


@pytest.mark.slow
@pytest.mark.skipif(find_spec("mkdocstrings") is None, reason="the extra `docs` is not installed")
def test_site_builds_strictly_and_needs_no_network(tmp_path) -> None:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    library = (tmp_path / "reference" / "library" / "index.html").read_text(encoding="utf-8")
    assert 'id="validation_ch7.checkpoints.learn_resumable"' in library
    pattern = r'<(?:script|img)[^>]+src="(?:https?:)?//|<link[^>]+stylesheet[^>]+href="(?:https?:)?//'
    loaded = [page.name for page in tmp_path.rglob("*.html") if re.search(pattern, page.read_text(encoding="utf-8"))]
    assert not loaded
