"""docs/PAINS.md names a test for each failure; this one checks that they exist."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def rows():
    text = (ROOT / "docs" / "PAINS.md").read_text(encoding="utf-8")
    return [line.split("|")[1:-1] for line in text.splitlines() if re.match(r"\| \d+ \|", line)]


def test_there_is_a_row_for_each_of_the_27_failures():
    assert [int(row[0]) for row in rows()] == list(range(1, 28))


def test_every_test_that_is_named_exists():
    written = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    named = {name for row in rows() for name in re.findall(r"`(test_\w+)`", row[3])}
    assert named
    assert {name for name in named if f"def {name}(" not in written} == set()


def test_a_row_without_a_test_says_that_it_is_not_done():
    assert all("not yet" in row[2] for row in rows() if not re.search(r"`test_\w+`", row[3]))
