"""Documents that cannot rot: every command is run or parsed, every flag is told, every link and message exists.

Run for real by ``test_commands_run.py``: commands of the module; slowly, in a small section, those of the run script,
of a study, and of the verifier. Run here: with ``--dry-run``, every command of the run script; slowly, the quick start
as it stands, in processes of its own. Parsed only: pip and pytest (the gate runs both), setting variables. Looked up
only: benchmarks, which take minutes.
"""

import json
import os
import re
import shlex
import subprocess
import sys
import tomllib

import click
import pytest
import yaml
from click.testing import CliRunner

from tests.docs.documents import DOCUMENTS, ROOT, SHELLS, blocks, commands, starting_with
from validation_ch7.cli.main import main
from validation_ch7.cli.run_section import run_section
from validation_ch7.cli.verify_system import verify_system
from validation_ch7.environment_config import EnvironmentConfig
from validation_ch7.study.protocol import DemandCase, EvaluationProtocol

RUN = "python validation_ch7/scripts/run_kaggle_validation_section_7_6.py"
VERIFY = "python verify_checkpoint_system.py"
MODULE = "python -m validation_ch7"
PIP, PYTEST = "python -m pip install ", "python -m pytest"
SITE = "python -m mkdocs serve"  # what it would show is built by test_site.py
BENCHMARK = re.compile(r"python (?:-m (benchmarks\.\w+)|(benchmarks/\S+\.py))(.*)")
VARIABLE = re.compile(r'(\$env:[A-Z_]+ = ".*"|export [A-Z_]+=".*")')
SECTION = ROOT / "validation_ch7" / "section_7_6_rl_performance" / "section.yml"
LATER = {"docs/TRAFFIC.md", "docs/KAGGLE.md"}  # pages with a home of their own


def leaves(command: click.Command) -> list[click.Command]:
    """Return the commands of a group that do something, or the command itself."""
    if not isinstance(command, click.Group):
        return [command]
    return [leaf for part in command.commands.values() for leaf in leaves(part)]


PROGRAMS = [run_section, verify_system, *(leaf for leaf in leaves(main) if leaf is not run_section)]


def arguments(command: str, program: str) -> list[str]:
    return shlex.split(command.removeprefix(program), comments=True)


def test_readme_begins_with_exactly_two_set_up_commands_of_one_line() -> None:
    texts = [block.text.strip() for block in blocks() if block.document == "README.md"]
    first, second = texts[:2]
    assert first.splitlines() == [f"{PIP}-c constraints.txt -e . ; {RUN} --quick"]
    assert second.splitlines() == [f'{PIP}-c constraints.txt -e ".[test]" ; {PYTEST}']
    assert not [text for text in texts[2:] if "install" in text]


def test_every_documented_command_is_of_a_kind_that_is_checked_here() -> None:
    known = (RUN, VERIFY, MODULE, PIP, PYTEST, SITE)
    others = [line for line in commands() if not line.startswith(known)]
    assert not [line for line in others if not VARIABLE.fullmatch(line) and not BENCHMARK.fullmatch(line)]


def test_documented_benchmarks_exist_with_their_flags() -> None:
    for match in filter(None, map(BENCHMARK.fullmatch, commands())):
        module, script, rest = match.groups()
        path = ROOT / script if script else ROOT / module.replace(".", "/") / "__main__.py"
        text = path.read_text("utf-8")
        assert not [flag for flag in re.findall(r"--[a-z-]+", rest) if f'"{flag}"' not in text]


@pytest.mark.parametrize("command", starting_with(RUN))
def test_documented_run_command_can_be_run(command: str, tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my_section.yml").write_text(SECTION.read_text("utf-8"), encoding="utf-8")
    for name in [name for name in os.environ if name.startswith("KAGGLE")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    flags = [*arguments(command, RUN), "--dry-run", "--workspace", str(tmp_path)]
    result = CliRunner().invoke(run_section, flags)
    expected = 3 if "kaggle" in flags else 0  # without credentials it says what is missing
    assert result.exit_code == expected, result.output


@pytest.mark.parametrize("command", starting_with(VERIFY))
def test_documented_verify_command_can_be_parsed(command: str) -> None:
    verify_system.make_context("verify", arguments(command, VERIFY))


@pytest.mark.parametrize("command", starting_with(MODULE))
def test_documented_module_command_can_be_parsed(command: str) -> None:
    words, found = [word for word in arguments(command, MODULE) if word != "--help"], main
    while words and isinstance(found, click.Group):
        found = found.commands[words.pop(0)]
    if not isinstance(found, click.Group):
        found.make_context("validation-ch7", words)


def test_every_module_command_is_documented() -> None:
    text = "\n".join(commands())
    assert not [leaf.name for leaf in leaves(main) if leaf is not run_section and f" {leaf.name}" not in text]


@pytest.mark.parametrize("command", starting_with(PIP))
def test_documented_installation_names_what_is_there(command: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    words = arguments(command, PIP)
    assert (ROOT / words[words.index("-c") + 1]).is_file()
    extras = re.findall(r"\.\[(\w+)\]", command)
    assert set(extras) <= set(project["optional-dependencies"])


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name)
def test_every_flag_is_documented(program: click.Command) -> None:
    text = "".join(path.read_text("utf-8") for path in DOCUMENTS)
    told = set(re.findall(r"--[a-z][a-z-]+", text))
    flags = {option for parameter in program.params for option in parameter.opts if option.startswith("--")}
    assert flags - told == set()


def test_every_flag_in_the_documents_exists() -> None:
    flags = {option for program in PROGRAMS for item in program.params for option in item.opts}
    foreign = {"--help", "--extra-index-url", "--strict"}
    foreign |= {flag for line in commands() if BENCHMARK.fullmatch(line) for flag in re.findall(r"--[a-z-]+", line)}
    for path in DOCUMENTS:
        told = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", path.read_text("utf-8")))
        assert told - flags - foreign == set(), path.name


def test_shell_blocks_name_their_shell() -> None:
    unnamed = [block for block in blocks() if block.language not in (*SHELLS, "python", "text", "yaml")]
    assert not unnamed


def test_every_link_leads_somewhere() -> None:
    for path in DOCUMENTS:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", path.read_text("utf-8")):
            file = (path.parent / target).resolve()
            assert file.exists() or file.relative_to(ROOT).as_posix() in LATER, f"{path.name}: {target}"


def test_every_message_in_the_troubleshooting_table_is_one_of_ours() -> None:
    page = (ROOT / "docs" / "CHECKPOINT_SYSTEM.md").read_text("utf-8")
    rows = page.split("## Troubleshooting")[1].splitlines()
    told = [re.findall(r"`([^`]+)`", row.split("|")[1])[0] for row in rows if row.startswith("| `")]
    sources = [ROOT / "validation_kaggle_manager.py", *(ROOT / "validation_ch7").rglob("*.py")]
    text = "".join(path.read_text("utf-8") for path in sources).replace("{kind}", "algorithm")
    assert len(told) > 8
    assert not [message for message in told if message not in text]


def test_exit_codes_in_the_documents_are_those_of_the_errors() -> None:
    from validation_ch7 import errors

    classes = [item for item in vars(errors).values() if isinstance(item, type) and issubclass(item, Exception)]
    page = (ROOT / "docs" / "CHECKPOINT_SYSTEM.md").read_text("utf-8").split("## Exit codes")[1].split("\n## ")[0]
    told = {int(code) for code in re.findall(r"^\| (\d+) \|", page, re.MULTILINE)}
    assert told == {0, *(item.exit_code for item in classes if hasattr(item, "exit_code"))}


YAML = [(block, yaml.safe_load(block.text)) for block in blocks("yaml")]


@pytest.mark.parametrize(("block", "data"), YAML, ids=lambda item: getattr(item, "document", ""))
def test_yaml_examples_are_configurations(block, data) -> None:
    assert set(data) <= {"scenarios", "evaluation"}, block.document
    assert all(EnvironmentConfig(**entry["environment"]) for entry in data.get("scenarios", {}).values())
    EvaluationProtocol(**data.get("evaluation", {}))


def test_example_of_a_protocol_has_every_key_with_its_default() -> None:
    (shown,) = [data["evaluation"] for _, data in YAML if "evaluation" in data]
    assert EvaluationProtocol(**shown) == EvaluationProtocol()
    every = EvaluationProtocol().model_dump()
    assert set(shown) == set(every)
    groups = [name for name, value in every.items() if isinstance(value, dict) and name != "cases"]
    assert {name: set(shown[name]) for name in groups} == {name: set(every[name]) for name in groups}
    assert {key for case in shown["cases"].values() for key in case} == set(DemandCase.model_fields)


@pytest.mark.parametrize("block", blocks("python"), ids=lambda block: block.document)
def test_python_examples_run(block, tmp_path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        exec(  # noqa: S102  the point of this test
            re.sub(r"1_000_000", "64", block.text).replace("seed=0", "seed=0, n_steps=32, batch_size=32"), {}
        )
    if "learn_resumable" in block.text:
        assert capsys.readouterr().out.splitlines() == ["0 64 exact True", "64 64 exact True"]


@pytest.mark.slow
def test_the_quick_start_runs_as_written_and_goes_on(tmp_path) -> None:
    steps = []
    for block in blocks("bash"):
        if block.document == "docs/CHECKPOINT_QUICKSTART.md" and "--quick" in block.text:
            command = [sys.executable, *shlex.split(block.text)[1:], "--json", "--backend", "local"]
            child = subprocess.run([*command, "--workspace", str(tmp_path)], cwd=ROOT, capture_output=True, check=True)
            told = json.loads(child.stdout)
            steps.append((told["steps_before"], told["steps_after"]))
    assert steps == [(0, 4096), (4096, 8192)]
