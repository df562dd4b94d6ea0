"""Two kernels that read each other's output: the checkpoint is not uploaded, and never missing without a word."""

from __future__ import annotations

import dataclasses
import json

import pytest

from tests.emulator.faults import Fault
from tests.emulator.world import Rules
from tests.remote.kaggle_world import kaggle_world
from tests.remote.sessions import SECTION, make_code_root, make_plan, until_over
from validation_ch7.errors import BackendError
from validation_ch7.remote import request as requests_module
from validation_ch7.remote.backend import SessionState
from validation_ch7.remote.request import prepare
from validation_ch7.remote.slug import slugify
from validation_ch7.session import read_summary

MODELS = f"{SECTION}/data/models"
RULES = [
    Rules(kernel_mount=mount, unpack_outputs=unpacked)
    for mount in ("{slug}", "notebooks/{owner}/{slug}")
    for unpacked in (False, True)
]


class Chain:
    """Sessions that relay, with the stub in place of the training."""

    def __init__(self, kaggle):
        self.kaggle = kaggle
        self.root = kaggle.folder / "workspace"
        self.code = make_code_root(kaggle.folder / "code")
        self.files = {}

    def request(self, session_id, backend=None, **config):
        plan = make_plan(session_id, config=config, parent="a" * 64 if self.files else None)
        output = self.root / "validation_output"
        return prepare(backend or self.kaggle.backend(), plan, self.files, self.code, output, relay=True)

    def run(self, session_id, **config):
        """Run one session to its end, bring its results, and make them what the next one needs."""
        backend = self.kaggle.backend()
        ref = backend.submit(self.request(session_id, backend, **config))
        status = until_over(backend, ref)
        report = backend.fetch(ref, self.results(ref))
        if report.complete:
            models = self.results(ref) / MODELS
            self.files = {
                f"checkpoints/{path.relative_to(models).as_posix()}": path
                for path in models.rglob("*")
                if path.is_file()
            }
        return ref, status, report

    def results(self, ref):
        return self.root / "validation_output" / "results" / ref.results_name

    def steps(self, ref):
        summary = read_summary(self.results(ref) / SECTION)
        return (summary.steps_before, summary.steps_after)

    def uploads(self):
        return self.kaggle.world.plan.calls["StartBlobUpload"]

    def pushed(self):
        return [body for name, body in self.kaggle.world.plan.requests if name == "SaveKernel"][-1]


@pytest.fixture(autouse=True)
def no_wheels(monkeypatch):
    monkeypatch.setattr(requests_module, "session_wheels", lambda folder: [])


@pytest.fixture
def chain(kaggle):
    return Chain(kaggle)


@pytest.mark.slow
@pytest.mark.parametrize("rules", RULES, ids=lambda rules: f"{rules.kernel_mount}-{rules.unpack_outputs}")
def test_chain_takes_turns_and_uploads_its_code_once(tmp_path, rules):
    with kaggle_world(tmp_path, rules) as kaggle:
        chain = Chain(kaggle)
        refs = [chain.run(f"session-{number}")[0] for number in range(4)]
        assert [chain.steps(ref) for ref in refs] == [(0, 100), (100, 200), (200, 300), (300, 400)]
        assert chain.uploads() == 1
    assert len({ref.kernel_slug for ref in refs}) == 2
    assert [ref.version for ref in refs] == [1, 1, 2, 2]
    assert len({ref.results_name for ref in refs}) == 4
    assert kaggle.sessions_started == 4


def test_each_kernel_reads_the_other_and_never_itself(chain):
    for number in range(3):
        ref, _, _ = chain.run(f"session-{number}")
        sources = chain.pushed().get("kernelDataSources", [])
        assert ref.kernel_slug not in sources
        assert len(sources) == (0 if number == 0 else 1)


@pytest.mark.slow
def test_code_is_uploaded_again_when_it_has_changed(chain):
    chain.run("session-0")
    (chain.code / "validation_ch7" / "new.py").write_text("# new", encoding="utf-8")
    ref, _, _ = chain.run("session-1")
    assert chain.uploads() == 2
    assert chain.steps(ref) == (100, 200)


@pytest.mark.slow
def test_code_is_uploaded_again_when_somebody_else_published_a_version(chain):
    chain.run("session-0")
    [dataset] = chain.kaggle.world.datasets.values()
    dataset.versions.append(dataset.versions[-1])
    assert chain.run("session-1")[1].state is SessionState.COMPLETE
    assert chain.uploads() == 2


@pytest.mark.slow
def test_checkpoint_travels_in_the_bundle_when_no_kernel_holds_it(chain):
    chain.run("session-0")
    for folder in (chain.root / "validation_output" / "results").glob("*"):  # what the manifest said is unknown now
        for manifest in folder.glob("*/output_manifest.json"):
            manifest.unlink()
    ref, _, _ = chain.run("session-1")
    assert chain.steps(ref) == (100, 200)
    assert not chain.pushed().get("kernelDataSources")
    assert chain.uploads() == 2


@pytest.mark.slow
def test_output_that_is_not_the_newest_of_its_kernel_is_not_relied_on(chain):
    chain.run("session-0")
    body = chain.pushed()
    chain.kaggle.server.api.save_kernel({**body, "text": "print('somebody else')"})
    second, _, _ = chain.run("session-1")
    assert chain.steps(second) == (100, 200)
    assert not chain.pushed().get("kernelDataSources")


def test_checkpoint_that_changed_under_its_name_is_refused_not_trained_from(chain):
    ref, _, _ = chain.run("session-0")
    kernel = chain.kaggle.world.kernels[ref.kernel_slug.split("/")[1]]
    working = kernel.versions[-1].session.folder / "working"
    for path in [*working.rglob("*.zip"), *working.rglob("*.handed-on")]:
        path.write_bytes(path.read_bytes()[:-1] + b"?")
    second, status, report = chain.run("session-1")
    summary = read_summary(chain.results(second) / SECTION)
    assert status.state is SessionState.ERROR
    assert not report.complete
    assert "is not in the output of a kernel" in summary.error
    assert summary.steps_after == 0


@pytest.mark.slow
def test_after_a_session_that_found_nothing_the_next_one_carries_its_checkpoint(chain):
    ref, _, _ = chain.run("session-0")
    kernel = chain.kaggle.world.kernels[ref.kernel_slug.split("/")[1]]
    for path in [*(kernel.versions[-1].session.folder / "working").rglob("*.*")]:
        if path.is_file():
            path.unlink()
    assert chain.run("session-1")[1].state is SessionState.ERROR
    third, _, _ = chain.run("session-2")
    assert chain.steps(third) == (100, 200)
    assert not chain.pushed().get("kernelDataSources")


def test_dropped_kernel_source_is_an_error_and_keeps_earlier_versions(chain):
    for number in range(2):
        chain.run(f"session-{number}")
    edit = {"edit": lambda answer: {**answer, "invalidKernelSources": ["tester/gone"]}}
    chain.kaggle.add(Fault("SaveKernel", "edit", **edit))
    with pytest.raises(BackendError, match="dropped a data source"):
        chain.run("session-2")
    assert len(chain.kaggle.world.kernels) == 2


@pytest.mark.slow
@pytest.mark.parametrize("elsewhere", [False, True])
def test_session_is_found_again_from_here_and_from_another_machine(chain, elsewhere):
    chain.run("session-0")
    ref, _, _ = chain.run("session-1")
    backend = chain.kaggle.backend("another machine" if elsewhere else "workspace")
    assert backend.find("session-1") == ref
    assert backend.find("session-unknown") is None


@pytest.mark.slow
def test_lost_reply_to_a_push_is_not_mistaken_for_the_version_before(chain):
    for number in range(2):
        chain.run(f"session-{number}")
    chain.kaggle.add(Fault("SaveKernel", "lost"))
    ref, status, _ = chain.run("session-2")
    assert (ref.version, status.state) == (2, SessionState.COMPLETE)
    assert chain.kaggle.sessions_started == 3


@pytest.mark.slow
def test_manager_killed_between_push_and_answer_attaches_to_the_new_version(chain):
    for number in range(3):
        ref, _, _ = chain.run(f"session-{number}")
    path = chain.root / "validation_output" / "kaggle_sessions" / "session-2.json"
    data = json.loads(path.read_text())
    path.write_text(json.dumps({**data, "step": "pushing", "kernel_version": None}))
    assert chain.kaggle.backend().find("session-2") == ref
    assert ref.version == 2


def test_kernel_that_lists_itself_is_rejected(chain):
    ref, _, _ = chain.run("session-0")
    request = dataclasses.replace(chain.request("session-1"), parent_kernel=ref.kernel_slug.split("/")[1])
    body = {"newTitle": ref.kernel_slug.split("/")[1], "text": "", "kernelDataSources": [ref.kernel_slug]}
    assert "data source" in chain.kaggle.server.api.save_kernel(body)["error"]
    assert chain.kaggle.backend().submit(request).kernel_slug != ref.kernel_slug


@pytest.mark.slow
def test_cleaning_keeps_the_kernel_that_an_unfinished_session_reads(chain):
    for number in range(3):
        chain.run(f"session-{number}")
    backend = chain.kaggle.backend()
    assert backend.clean(lambda name: name != "session-2") == []  # it runs in one of the two and reads the other
    deleted = backend.clean(lambda name: True)
    assert sorted(line.split()[0] for line in deleted) == ["dataset", "kernel"]
    chain.run("session-3")
    assert chain.uploads() == 2


@pytest.mark.slow
def test_names_of_the_two_kernels_differ_between_chains_of_one_account(chain, kaggle):
    first, _, _ = chain.run("session-0")
    other = Chain(kaggle)
    other.root = kaggle.folder / "second workspace"
    request = other.request("session-x")
    ref = kaggle.backend("second workspace").submit(request)
    assert ref.kernel_slug != first.kernel_slug
    assert all(len(slug) <= 50 for slug in kaggle.world.kernels)
    assert slugify(ref.kernel_slug.split("/")[1].replace("-", " ")) == ref.kernel_slug.split("/")[1]
