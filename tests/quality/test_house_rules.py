"""The rules of the house, kept by machines: style, types, one-way imports, sizes, no pickle, nothing of one machine."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted(
    path for path in [*ROOT.glob("*.py"), *(ROOT / "validation_ch7").rglob("*.py")] if "__pycache__" not in path.parts
)


def run(*command):
    return subprocess.run([sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, encoding="utf-8")


@pytest.mark.parametrize(
    "command",
    [
        ("ruff", "check", "--no-cache", "."),
        ("ruff", "format", "--no-cache", "--check", "."),
        pytest.param(("mypy", "--cache-dir", ".mypy_cache"), marks=pytest.mark.slow),
    ],
    ids=["ruff-check", "ruff-format", "mypy-strict"],
)
def test_tool_finds_nothing(command):
    done = run(*command)
    assert done.returncode == 0, done.stdout + done.stderr


def test_imports_go_one_way():
    code = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    done = subprocess.run(
        [sys.executable, "-c", code, "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        encoding="utf-8",
        env={**__import__("os").environ, "PYTHONIOENCODING": "utf-8"},
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_file_holds_one_noun(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400


def functions(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def test_no_function_is_longer_than_sixty_lines_of_code():
    long = []
    for path in SOURCES:
        for node in functions(path):
            documented = isinstance(node.body[0], ast.Expr) and isinstance(node.body[0].value, ast.Constant)
            begin = node.body[1].lineno if documented and len(node.body) > 1 else node.body[0].lineno
            if (node.end_lineno or 0) - begin + 1 > 60:
                long.append(f"{path.name}:{node.lineno} {node.name}")
    assert not long


def test_nothing_imports_pickle():
    guilty = []
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [item.name for item in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            guilty += [f"{path.name}: {name}" for name in names if name.split(".")[0] in PICKLERS]
    assert not guilty


PICKLERS = {"pickle", "cloudpickle", "dill", "joblib", "shelve", "marshal"}


def test_only_one_file_knows_the_kaggle_client():
    importers = set()
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [item.name for item in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) and node.level == 0 else []
            importers |= {path.name for name in names if name.split(".")[0] in ("kaggle", "kagglesdk")}
    assert len(importers) <= 1
