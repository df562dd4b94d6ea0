import shutil
import subprocess
from pathlib import Path

import pytest

from tests.verification.reading import all_well, only_issue, only_warning
from validation_ch7.verification.finding import Grade
from validation_ch7.verification.leaks import check_credentials, check_repository, secret_kind

KEY = "0123456789abcdef" * 2
JSON = '{"username": "someone", "key": "' + KEY + '"}'
needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="there is no git")


def git(folder: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", "-C", str(folder), *identity, *arguments], check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    folder.mkdir()
    git(folder, "init", "-q")
    (folder / ".gitignore").write_text("kaggle.json\n", encoding="utf-8")
    (folder / "code.py").write_text("x = 1\n", encoding="utf-8")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "first")
    return folder


def test_missing_credentials_are_a_warning(tmp_path: Path) -> None:
    assert "local sessions can" in only_warning(check_credentials({"HOME": str(tmp_path)}))


def test_credentials_are_found_and_never_shown(tmp_path: Path) -> None:
    found = list(check_credentials({"HOME": str(tmp_path), "KAGGLE_API_TOKEN": KEY}))
    assert all_well(found) and KEY not in str(found)


def test_file_of_credentials_is_named_without_the_home_folder(tmp_path: Path) -> None:
    path = tmp_path / ".kaggle" / "kaggle.json"
    path.parent.mkdir()
    path.write_text(JSON, encoding="utf-8")
    path.chmod(0o644)
    found = str(list(check_credentials({"HOME": str(tmp_path)})))
    assert "found (key) in ~/.kaggle/kaggle.json" in found
    assert str(tmp_path) not in found


@needs_git
def test_clean_repository_is_a_success(repository: Path) -> None:
    assert all_well(check_repository(repository, repository))


@needs_git
@pytest.mark.parametrize("name", ["kaggle.json", "sub/kaggle.json", "access_token", "deploy.pem", ".env"])
@pytest.mark.parametrize("added", [True, False])
def test_planted_credentials_are_an_issue_without_their_value(repository: Path, name: str, added: bool) -> None:
    """Credentials were committed once: the verifier looks, whatever git thinks of the file."""
    (repository / name).parent.mkdir(exist_ok=True)
    (repository / name).write_text(JSON, encoding="utf-8")
    if added:
        git(repository, "add", "-f", name)
    found = only_issue(check_repository(repository, repository))
    assert name in found.text.replace("\\", "/") and KEY not in str(found)
    assert ("tracked by git" in found.text) == added


@needs_git
def test_credentials_that_were_committed_once_are_an_issue(repository: Path) -> None:
    (repository / "kaggle.json").write_text(JSON, encoding="utf-8")
    git(repository, "add", "-f", "kaggle.json")
    git(repository, "commit", "-q", "-m", "oops")
    git(repository, "rm", "-q", "kaggle.json")
    git(repository, "commit", "-q", "-m", "gone")
    assert "history" in only_issue(check_repository(repository, repository)).text


def test_without_git_the_tree_is_walked(tmp_path: Path) -> None:
    (tmp_path / "settings.py").write_text(f"KAGGLE_KEY = '{KEY}'\n", encoding="utf-8")
    assert "settings.py" in only_issue(check_repository(tmp_path, tmp_path)).text


def test_credentials_in_the_workspace_are_an_issue(tmp_path: Path) -> None:
    root, workspace = tmp_path / "root", tmp_path / "workspace"
    for folder in (root, workspace / "validation_output", workspace / "photos"):
        folder.mkdir(parents=True)
    (workspace / "photos" / "kaggle.json").write_text(JSON, encoding="utf-8")  # not ours to look at
    (workspace / "validation_output" / "session.log").write_text(f"token KGAT_{KEY}\n", encoding="utf-8")
    assert "session.log" in only_issue(check_repository(root, workspace)).text


@pytest.mark.parametrize(
    ("text", "found"),
    [(JSON, True), (f"KAGGLE_KEY={KEY}", True), ('{"username": "a", "key": "secret"}', False), ("KAGGLE_KEY", False)],
)
def test_secrets_are_known_by_their_form(tmp_path: Path, text: str, found: bool) -> None:
    (tmp_path / "a.txt").write_text(text, encoding="utf-8")
    assert (secret_kind(tmp_path / "a.txt") is not None) == found


def test_this_repository_holds_no_credentials() -> None:
    root = Path(__file__).resolve().parents[2]
    assert not [item.text for item in check_repository(root, root) if item.grade is Grade.ISSUE]
