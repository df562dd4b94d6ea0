"""The report says what the table says: every number is computed a second time, by other code, and compared."""

import csv
import json
import re
import shutil
import subprocess

import numpy as np
import pytest

from tests.study.made import DELAYS, made_agents, made_evidence
from tests.study.tiny import SCENARIO
from validation_ch7.errors import SessionFailedError
from validation_ch7.files import sha256_file
from validation_ch7.reporting.study.figures import draw_learning
from validation_ch7.reporting.study.latex import escape
from validation_ch7.reporting.study.learning import learning_csv, read_learning
from validation_ch7.reporting.study.report import write_report
from validation_ch7.reporting.study.section import section_text
from validation_ch7.reporting.study.style import Look
from validation_ch7.reporting.study.summary import study_numbers
from validation_ch7.reporting.study.table import Table
from validation_ch7.study.records import metric_rows, metrics_csv
from validation_ch7.training.curve import PROGRESS_NAME, SESSION_NAME

KINDS = ("comparison", "profiles", "time_space", "queues")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    root = tmp_path_factory.mktemp("whole")
    return write_report(made_evidence(root), root / "report")


@pytest.fixture(scope="module")
def partial(tmp_path_factory):
    root = tmp_path_factory.mktemp("partial")
    return write_report(made_evidence(root, failed=("ppo.seed2", "grid1.webster")), root / "report")


def text_of(evidence):
    """Return numbers and LaTeX without drawing anything."""
    table = Table(metrics_csv(metric_rows(evidence.records)))
    numbers = study_numbers(evidence.study, table, evidence.protocol, evidence.reductions)
    return numbers, section_text(numbers, evidence.protocol, {})


def rows_of(report):
    with (report.folder / "metrics.csv").open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def delays(rows, policy, case="near", grid="1"):
    """Delays by demand seed: a list with one value for each training seed."""
    found = {}
    for row in rows:
        if (row["policy"], row["case"], row["grid"], row["status"]) == (policy, case, grid, "ok"):
            found.setdefault(row["demand_seed"], []).append(float(row["mean_delay_s"]))
    return found


def iqm(found):
    values = sorted(value for values in found.values() for value in values)
    cut = len(values) // 4
    return sum(values[cut : len(values) - cut]) / (len(values) - 2 * cut)


def tex_of(report):
    return (report.folder / "section_7_6.tex").read_text("utf-8")


def tabular(tex, name):
    """Return the cells of a table, by its label."""
    part = tex.split(rf"\label{{tab:{name}}}")[1].split(r"\bottomrule")[0].split(r"\midrule")[1]
    return [[cell.strip() for cell in line.removesuffix(r" \\").split(" & ")] for line in part.strip().splitlines()]


def number(cell):
    return float(re.search(r"-?\d+\.\d+", cell.replace("$", "")).group())


def test_delays_of_the_tables_are_those_of_the_csv(whole):
    rows, names = rows_of(whole), {"PPO": "ppo", "DQN": "dqn", "Max-pressure": "max_pressure", "Webster": "webster"}
    cells = {row[0]: row[1:] for row in tabular(tex_of(whole), f"delay-{SCENARIO}")}
    for shown, policy in names.items():
        assert number(cells[shown][0]) == round(iqm(delays(rows, policy)), 1)
        assert number(cells[shown][1]) == round(iqm(delays(rows, policy, "more")), 1)
    assert number(cells["Look-ahead (6 seeds)"][0]) == round(iqm(delays(rows, "lookahead")), 1)
    coarse, fine = (delays(rows, "ppo", grid=grid) for grid in ("1", "2"))
    grid = {row[0]: row for row in tabular(tex_of(whole), f"grid-{SCENARIO}")}
    assert number(grid["PPO"][3]) == round(iqm(fine), 1)
    assert number(grid["PPO"][1]) == round(iqm({seed: coarse[seed] for seed in fine}), 1)


def test_comparisons_of_the_table_follow_from_the_csv(whole):
    rows = rows_of(whole)
    ours, theirs = delays(rows, "ppo"), delays(rows, "max_pressure")
    pairs = [(mine < theirs[seed][0]) + 0.5 * (mine == theirs[seed][0]) for seed in ours for mine in ours[seed]]
    cells = {(row[0], row[1]): row[2:] for row in tabular(tex_of(whole), f"comparisons-{SCENARIO}")}
    reduction, probability = cells["PPO", "Max-pressure"]
    assert number(reduction) == round(100 * (1 - iqm(ours) / iqm(theirs)), 1)
    assert number(probability) == round(sum(pairs) / len(pairs), 2)


def test_measures_of_the_tables_are_means_of_the_csv(whole):
    rows = [row for row in rows_of(whole) if (row["policy"], row["case"], row["grid"]) == ("dqn", "near", "1")]
    mean = {
        name: np.mean([float(row[name]) for row in rows]) for name in rows[0] if name.endswith(("_veh", "_s", "_car"))
    }
    cells = {row[0]: row[1:] for row in tabular(tex_of(whole), f"measures-{SCENARIO}")}["DQN"]
    shown = ("mean_delay_s", "travel_time_s", "queue_mean_veh", "queue_max_veh", "throughput_veh")
    assert [number(cell) for cell in cells[:5]] == [round(mean[name], 1) for name in shown]
    by_class = {row[0]: row[1:] for row in tabular(tex_of(whole), f"classes-{SCENARIO}")}["DQN"]
    assert number(by_class[4]) == round(mean["mean_delay_s_car"], 1)


def test_sentences_hold_no_number_of_their_own(whole):
    """Every number in the prose is in the summary, which the other tests recompute."""
    summary = json.loads((whole.folder / "summary.json").read_text("utf-8"))
    case = summary["scenarios"][SCENARIO]["cases"]["near"]
    versus = case["comparisons"]["ppo"]["max_pressure"]
    text = tex_of(whole).split(r"\subsection")[1].split(r"\begin{table}")[0]
    sentence = re.search(r"PPO reaches .*?yardstick by [^.]*\.[^.]*\.[^.]*\.", text, re.DOTALL).group()
    gap = summary["scenarios"][SCENARIO]["oracle_gaps"]["ppo"]
    expected = [
        *(f"{case['policies']['ppo']['delay'][key]:.1f}" for key in ("value", "low", "high")),
        f"{100 * versus['reduction']['value']:.1f}",
        *(f"{100 * versus['reduction'][key]:.1f}" for key in ("value", "low", "high")),
        *(f"{versus['probability'][key]:.2f}" for key in ("value", "low", "high")),
        *(f"{100 * gap[key]:.1f}" for key in ("value", "low")),
    ]
    assert re.findall(r"-?\d+\.\d+", sentence)[: len(expected)] == expected


def test_other_data_gives_other_numbers(whole, tmp_path):
    numbers, tex = text_of(made_evidence(tmp_path, {"ppo": 50.0}))
    assert "above it" in tex and "above it" not in tex_of(whole)
    words = {verdict.algorithm: verdict.word for verdict in numbers.scenarios[SCENARIO].verdicts[:1]}
    assert words == {"ppo": "not met"}


def test_verdicts_fall_as_the_numbers_do(whole):
    verdicts = [verdict for verdict in whole.numbers.scenarios[SCENARIO].verdicts if verdict.algorithm == "ppo"]
    assert [verdict.word for verdict in verdicts] == [
        "met",
        "met",
        "met",
        "not met" if verdicts[3].found.value > 0.1 else "met",
    ]
    worse = [verdict for verdict in whole.numbers.scenarios[SCENARIO].verdicts if verdict.algorithm == "dqn"]
    assert worse[3].word == "not met"
    assert whole.lines[0].endswith(": met")


def test_reduced_study_is_marked_in_every_output(whole):
    assert not whole.numbers.full
    assert "reduced study" in tex_of(whole)
    for name in ("summary.json", "session_summary.json"):
        assert json.loads((whole.folder / name).read_text("utf-8"))["reductions"] == [
            "3 training seeds instead of the 10 of the full protocol",
            "12 held-out demand seeds instead of the 100 of the full protocol",
        ]


def test_session_summary_lists_every_file_with_its_digest(whole):
    summary = json.loads((whole.folder / "session_summary.json").read_text("utf-8"))
    assert (summary["status"], summary["evaluations"]) == ("complete", {"all": 30, "ok": 30})
    assert summary["files"] == {name: sha256_file(whole.folder / name) for name in whole.files[:-1]}
    assert {f"{kind}_{SCENARIO}.{end}" for kind in KINDS for end in ("pdf", "png")} <= set(summary["files"])


def test_partial_study_gives_a_report_that_says_what_is_missing(partial):
    assert partial.numbers.scenarios[SCENARIO].cases["near"].policies["ppo"].training_seeds == (1, 3)
    gaps = {(gap.policy, gap.training_seed, gap.status) for gap in partial.numbers.missing}
    assert gaps == {("ppo", 2, "failed"), ("webster", None, "failed")}
    assert r"50 \% of a\_b \& c" in tex_of(partial)
    summary = json.loads((partial.folder / "session_summary.json").read_text("utf-8"))
    assert summary["status"] == "partial"


def test_study_without_one_good_evaluation_is_one_clear_error(tmp_path):
    evidence = made_evidence(tmp_path, failed=("",))
    with pytest.raises(SessionFailedError, match=r"nothing to report[\s\S]*50 % of a_b & c"):
        write_report(evidence, tmp_path / "report")
    assert not (tmp_path / "report").exists()


def test_study_without_agents_or_without_controllers_still_reports(tmp_path):
    nobody, tex = text_of(made_evidence(tmp_path, agents=[]))
    assert nobody.scenarios[SCENARIO].verdicts == () and "tab:delay" in tex
    failed = ("fixed_time", "webster", "max_pressure", "part000", "part001", "part002")
    alone, tex = text_of(made_evidence(tmp_path, failed=failed))
    assert {verdict.met for verdict in alone.scenarios[SCENARIO].verdicts} == {None}
    assert "nothing to compare with" in tex


def test_learning_curve_is_what_the_sessions_logged_with_their_borders(tmp_path):
    (agent,) = made_agents(tmp_path, (1,), ("ppo",))
    for name, resumed, steps in (("a", 0, (100, 200)), ("b", 150, (200, 300))):
        folder = agent.logs / name
        folder.mkdir(parents=True)
        header = "session_id,step,wall_time,eval/mean_delay_s,eval/mean_reward\n"
        lines = [f"{name},{step},1.0,{step / 10}{'' if name == 'a' else 5},-1\n" for step in steps]
        (folder / PROGRESS_NAME).write_text(header + "".join(lines), encoding="utf-8")
        document = {"session_id": name, "started": name, "resumed_at": resumed}
        (folder / SESSION_NAME).write_text(json.dumps(document), encoding="utf-8")
    curve = read_learning(agent)
    assert curve.borders == (150,)
    lines = learning_csv([curve]).decode().splitlines()
    assert [line.split(",")[3:6] for line in lines[1:]] == [
        ["a", "100", "10.0"],
        ["b", "200", "20.05"],
        ["b", "300", "30.05"],
    ]
    (axes,) = draw_learning([curve], Look(["ppo"], [])).axes
    assert [line.get_xdata()[0] for line in axes.get_lines() if line.get_label() == "new session"] == [150]
    assert axes.get_lines()[0].get_ydata().tolist() == [10.0, 20.05, 30.05]


def test_without_logs_there_is_no_learning_curve(whole):
    assert not [name for name in whole.files if name.startswith("learning_curve")]
    assert (whole.folder / "learning.csv").read_text("utf-8").count("\n") == 1


def test_fonts_are_embedded_in_the_figures(whole):
    for name in (f"comparison_{SCENARIO}.pdf", f"time_space_{SCENARIO}.pdf"):
        data = (whole.folder / name).read_bytes()
        assert b"/FontFile2" in data and b"/Type3" not in data


def test_hostile_text_cannot_break_out_of_latex():
    assert escape(r"\input{/etc/passwd} $x$ ~^ #1 é 中") == (
        r"\textbackslash{}input\{/etc/passwd\} \$x\$ \textasciitilde{}\textasciicircum{} \#1 é ?"
    )


def test_numbers_survive_the_csv_bit_for_bit(whole):
    table = Table((whole.folder / "metrics.csv").read_bytes())
    rows = json.loads((whole.folder / "metrics.json").read_text("utf-8"))["rows"]
    runs = table.find(SCENARIO, "near", "ppo")
    mine = [
        row for row in rows if (row["policy"], row["case"], row["grid"], row["training_seed"]) == ("ppo", "near", 1, 1)
    ]
    assert runs.delay[0].tolist() == [row["mean_delay_s"] for row in mine]
    assert DELAYS.keys() <= {row["policy"] for row in rows}


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed: the section is not compiled")
def test_section_compiles_with_pdflatex(partial):
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "section_7_6_standalone.tex"]
    for _ in range(2):
        done = subprocess.run(command, cwd=partial.folder, capture_output=True, text=True, errors="replace")
        assert done.returncode == 0, done.stdout[-3000:]
    assert (partial.folder / "section_7_6_standalone.pdf").read_bytes().startswith(b"%PDF")
    assert "undefined" not in done.stdout and "Overfull" not in done.stdout
