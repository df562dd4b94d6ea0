"""The notebook runs, on this machine, in an empty workspace, and shows live progress while it does."""

import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOK = ROOT / "notebooks" / "quickstart.ipynb"


def test_notebook_is_kept_without_outputs_and_small():
    nbformat = pytest.importorskip("nbformat", reason="the extra [test-notebook] is not installed")
    notebook = nbformat.read(NOTEBOOK, 4)
    assert NOTEBOOK.stat().st_size < 20_000
    assert not [cell for cell in notebook.cells if cell.cell_type == "code" and (cell.outputs or cell.execution_count)]


def shown(cell) -> list[str]:
    return [str(output.get("data", {}).get("text/html", "")) for output in cell.outputs]


@pytest.mark.slow
def test_notebook_runs_and_shows_what_it_promises(tmp_path, monkeypatch):
    nbformat = pytest.importorskip("nbformat", reason="the extra [test-notebook] is not installed")
    client = pytest.importorskip("nbclient", reason="the extra [test-notebook] is not installed")
    pytest.importorskip("ipykernel", reason="the extra [test-notebook] is not installed")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    shutil.copy(NOTEBOOK, tmp_path)
    notebook = nbformat.read(tmp_path / NOTEBOOK.name, 4)
    kernel = {"metadata": {"path": str(tmp_path)}}
    client.NotebookClient(notebook, timeout=900, kernel_name="python3", resources=kernel).execute()
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    run, job, status, done, curve, store, loaded = code[1:]
    [live, table] = shown(run)
    assert "<progress" in live and "4,096 / 4,096 steps" in live and "completed" in table
    assert [output for cell in code for output in cell.outputs if output.output_type == "stream"] == []
    assert "Session of traffic_light_control" in shown(job)[-1] and "8192" in str(status.outputs)
    assert "4,096 → 8,192" in shown(done)[-1] and "image/png" in curve.outputs[-1]["data"]
    assert "8,192" in shown(store)[-1] and loaded.outputs[-1]["data"]["text/plain"] == "8192"
