import json
import tomllib
from pathlib import Path

import pytest

from tests.verification.reading import all_well, only_issue, only_warning
from validation_ch7.remote.code import TOP_LEVEL
from validation_ch7.verification.finding import Grade
from validation_ch7.verification.installation import (
    PACKAGE,
    check_configuration,
    check_copies,
    check_journal,
    check_run_script,
)
from validation_ch7.verification.machine import MB, check_disk, judge_disk
from validation_ch7.verification.requirements import check_dependencies

SECTION = PACKAGE / "section_7_6_rl_performance" / "section.yml"


def project(folder: Path, *dependencies: str, python: str = ">=3.11") -> Path:
    listed = json.dumps(dependencies)  # a JSON list of texts is a TOML list too
    text = f'[project]\nname = "x"\nrequires-python = "{python}"\ndependencies = {listed}\n'
    (folder / "pyproject.toml").write_text(text, encoding="utf-8")
    return folder


def test_the_run_script_parses_and_shows_its_help() -> None:
    assert all_well(check_run_script())


@pytest.mark.parametrize(
    ("source", "word"),
    [
        ("def x(:\n", "invalid syntax"),
        ("import no_such_module_at_all\n", "no_such_module"),
        ("print('hi')\n", "--quick"),
    ],
)
def test_broken_run_script_is_an_issue(tmp_path: Path, source: str, word: str) -> None:
    script = tmp_path / "run.py"
    script.write_text(source, encoding="utf-8")
    assert word in only_issue(check_run_script(script)).text


def test_missing_run_script_is_an_issue(tmp_path: Path) -> None:
    assert "run.py" in only_issue(check_run_script(tmp_path / "run.py")).text


def test_stale_copy_of_the_manager_is_a_warning_and_the_modules_of_the_checkout_are_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, site = tmp_path / "checkout", tmp_path / "site-packages"
    for folder in (home, site):
        folder.mkdir()
        (folder / "validation_kaggle_manager.py").write_text("", encoding="utf-8")
    monkeypatch.chdir(home)
    assert all_well(check_copies([str(home)], home))
    found = only_warning(check_copies(["", str(home), str(site)], home))
    assert str(site) in found


def test_editable_installation_copies_no_module() -> None:
    wheel = tomllib.loads((PACKAGE.parent / "pyproject.toml").read_text("utf-8"))["tool"]["hatch"]["build"]["targets"]
    assert "force-include" not in wheel["wheel"]
    assert wheel["wheel"]["only-include"] == ["validation_ch7", *TOP_LEVEL]


def test_every_algorithm_of_the_configuration_can_be_built() -> None:
    assert all_well(check_configuration([SECTION]))


@pytest.mark.parametrize(
    ("old", "new", "word"),
    [
        ("section:", "section: [", "YAML"),
        ("seed: 42", "sede: 42", "sede"),
        ("gamma: 0.98", "gamma: 0.98\n    gama: 1", "gama"),
        ("default_algorithm: ppo", "default_algorithm: alphago", "alphago"),
    ],
)
def test_broken_configuration_is_an_issue_that_names_the_key(tmp_path: Path, old: str, new: str, word: str) -> None:
    path = tmp_path / "section.yml"
    path.write_text(SECTION.read_text("utf-8").replace(old, new, 1), encoding="utf-8")
    issues = [finding.text for finding in check_configuration([path]) if finding.grade is Grade.ISSUE]
    assert issues and all(word in text for text in issues)  # one for each scenario that it spoils


def test_the_requirements_of_this_project_are_met() -> None:
    found = list(check_dependencies(PACKAGE.parent))
    assert not [finding for finding in found if finding.grade is Grade.ISSUE]


@pytest.mark.parametrize(
    ("dependency", "word"), [("numpy>=99", "does not satisfy"), ("no-such-distribution>=1", "is not installed")]
)
def test_unmet_requirement_is_an_issue_that_says_how_to_install(tmp_path: Path, dependency: str, word: str) -> None:
    found = only_issue(check_dependencies(project(tmp_path, dependency)))
    assert word in found.text and "pip install" in str(found.remedy)


def test_requirement_of_another_system_is_left_out(tmp_path: Path) -> None:
    assert all_well(check_dependencies(project(tmp_path, "no-such-distribution; sys_platform == 'nowhere'")))


def test_wrong_python_is_an_issue(tmp_path: Path) -> None:
    assert "Python" in only_issue(check_dependencies(project(tmp_path, "numpy", python=">=4"))).text


def test_version_beside_the_known_good_set_is_a_warning(tmp_path: Path) -> None:
    (tmp_path / "constraints.txt").write_text("numpy==0.1\n", encoding="utf-8")
    assert "known good: 0.1" in only_warning(check_dependencies(project(tmp_path, "numpy")))


def test_readable_journal_is_a_success(workspace: Path) -> None:
    assert all_well(check_journal(workspace))


def test_empty_journal_is_a_warning(tmp_path: Path) -> None:
    assert "no session was started" in only_warning(check_journal(tmp_path))


def test_unreadable_journal_entry_is_an_issue(workspace: Path) -> None:
    (workspace / "validation_output" / "sessions" / "s2.json").write_text("{", encoding="utf-8")
    assert "s2.json" in only_issue(check_journal(workspace)).text


def test_unfinished_session_is_a_warning(workspace: Path) -> None:
    path = workspace / "validation_output" / "sessions" / "s1.json"
    path.write_text(path.read_text("utf-8").replace('"phase": "closed",\n  "ref"', '"phase": "submitted",\n  "ref"'))
    assert "left at 'submitted'" in only_warning(check_journal(workspace))


@pytest.mark.parametrize(
    ("free", "grade"), [(100 * MB, Grade.ISSUE), (1000 * MB, Grade.WARNING), (9000 * MB, Grade.SUCCESS)]
)
def test_free_space_is_graded(free: int, grade: Grade) -> None:
    assert judge_disk(free, "/w").grade is grade


def test_free_space_is_measured_for_a_workspace_that_is_not_there_yet(tmp_path: Path) -> None:
    (found,) = check_disk(tmp_path / "a" / "b")
    assert str(tmp_path) in found.text
