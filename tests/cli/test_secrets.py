"""Secrets that are planted wherever one keeps them: no screen, no file and no bundle shows one, nor the home folder."""

import io
import json
import os
import subprocess
import sys
import zipfile

import pytest

from tests.chain.conftest import Place
from tests.cli.conftest import ROOT, child
from tests.notify.receiver import receiving

pytestmark = pytest.mark.slow
MARK = "planted0secret0"
"""Part of every secret; no file that this package writes may hold it."""
PLANTED = {
    "KAGGLE_KEY": f"{MARK}kaggle",
    "HF_TOKEN": f"hf_{MARK}hub",
    "AWS_ACCESS_KEY_ID": "AKIAPLANTED",
    "AWS_SECRET_ACCESS_KEY": f"{MARK}aws",
    "AWS_SESSION_TOKEN": f"{MARK}session",
    "GITHUB_TOKEN": f"ghp_{MARK}",
    "SECTION_HOOK": f"https://hooks.example.invalid/{MARK}",
}


def contents(data: bytes, name: str):
    """Return the bytes of a file, and of every file in it where it is an archive."""
    yield name, data
    if zipfile.is_zipfile(io.BytesIO(data)):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for member in archive.namelist():
                yield from contents(archive.read(member), f"{name}:{member}")


def holding(folder, *texts: str) -> list[str]:
    found = []
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        for name, data in contents(path.read_bytes(), str(path.relative_to(folder))):
            found += [f"{name} holds {text}" for text in texts if text.encode() in data]
    return found


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """Run everything that a person would, with secrets in every place; return what was shown and what was written."""
    base = tmp_path_factory.mktemp("machine")
    home, place = base / "home of jane", Place(base / "work space")
    (home / ".kaggle").mkdir(parents=True)
    (home / ".aws").mkdir()
    (home / ".kaggle" / "kaggle.json").write_text(json.dumps({"username": "jane", "key": f"{MARK}file"}))
    (home / ".aws" / "credentials").write_text(f"[default]\naws_secret_access_key = {MARK}aws\n")
    place.edit("session: {", 'notify: {urls: ["${SECTION_HOOK}"]}\nsession: {')
    with receiving() as server:
        environ = {"HOME": str(home), "USERPROFILE": str(home), **PLANTED}
        environ |= {"VALIDATION_NOTIFY": f"http://127.0.0.1:{server.server_address[1]}/{MARK}?token={MARK}"}
        commands = [
            ("run", "--quick", "--backend", "local", "--config", place.config, "--workspace", place.root),
            ("attach", "--workspace", place.root),
            ("status", "--workspace", place.root),
            ("doctor", "--workspace", place.root),
            ("checkpoints", "show", "latest", "--workspace", place.root, "--json"),
            ("notify", "test", "--config", place.config),
            ("export", place.root / "copy", "--workspace", place.root, "--config", place.config),
            ("export", f"nonsense://jane:{MARK}@host/x?key={MARK}", "--workspace", place.root),
            ("export", f"hf://jane:{MARK}@x", "--workspace", place.root),
        ]
        shown = {}
        for words in commands:
            ran = child(*words, **environ)
            shown[words[0] + str(words[1])] = (ran.returncode, (ran.stdout + ran.stderr).decode("utf-8", "replace"))
        kinds = server.kinds
    return base, place, home, shown, kinds


@pytest.mark.slow
def test_commands_that_report_and_the_self_check_show_and_write_no_secret(told):
    base, place, home, _, _ = told
    page, workspace = place.root / "validation_output" / "comparison.html", ("--workspace", place.root)
    commands = [
        ("dashboard", *workspace),
        ("compare", "latest", "best", "--html", page, *workspace),
        ("import", place.root / "copy", *workspace, "--config", place.config),
        ("checkpoints", "list", *workspace),
        ("checkpoints", "backup", *workspace),
        ("checkpoints", "backup", "--list", *workspace),
    ]
    environ = {**PLANTED, "HOME": str(home), "USERPROFILE": str(home)}
    ran = [child(*words, **environ) for words in commands]
    check = [sys.executable, ROOT / "verify_checkpoint_system.py", *workspace]
    ran.append(subprocess.run(check, cwd=base, env={**os.environ, **environ}, capture_output=True, timeout=400))
    shown = [(done.stdout + done.stderr).decode("utf-8", "replace") for done in ran]
    assert [done.returncode for done in ran] == [0] * 7, shown
    assert [text for text in shown if MARK in text or str(home) in text] == []
    assert page.is_file()
    assert holding(place.root, MARK, str(home)) == []


def test_commands_did_what_they_should(told):
    _, place, _, shown, kinds = told
    assert place.store.newest_steps() == 256
    assert [code for code, _ in shown.values()] == [0, 0, 0, 0, 0, 0, 0, 2, 2], shown
    assert "new_best" in kinds and "test" in kinds


def test_no_screen_shows_a_secret(told):
    assert [name for name, (_, text) in told[3].items() if MARK in text] == []


def test_no_screen_shows_the_home_folder(told):
    assert [name for name, (_, text) in told[3].items() if str(told[2]) in text] == []


def test_no_file_that_was_written_holds_a_secret_or_the_home_folder(told):
    _, place, home, _, _ = told
    assert len(list(place.root.rglob("*.zip"))) > 2
    assert holding(place.root, MARK, str(home)) == []


def test_search_finds_what_is_planted(tmp_path):
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("deep.txt", MARK * 9)
    with zipfile.ZipFile(tmp_path / "bundle.bin", "w") as archive:
        archive.writestr("inner.zip", inner.getvalue())
    assert holding(tmp_path, MARK) == [f"bundle.bin:inner.zip:deep.txt holds {MARK}"]
    assert os.environ.get("KAGGLE_KEY") != PLANTED["KAGGLE_KEY"]
