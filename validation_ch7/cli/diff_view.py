"""``checkpoints diff A B``: two checkpoints side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from validation_ch7.checkpoints.archive import read_archive
from validation_ch7.checkpoints.difference import Comparison, Fact, WeightChange, compare_checkpoints
from validation_ch7.checkpoints.lookup import locate
from validation_ch7.checkpoints.manifest import Manifest
from validation_ch7.cli.outcome import print_json
from validation_ch7.cli.screen import Column, Screen
from validation_ch7.cli.selection import Selection

EXIT_DONE = 0


def diff_checkpoints(selection: Selection, first: str, second: str) -> int:
    """Show what differs between two checkpoints."""
    store, screen = selection.open(), Screen(selection.as_json)
    a, b = (read_archive(locate(store, name).path) for name in (first, second))
    found = compare_checkpoints(a, b)
    screen.say(f"A  {a.path.name}")
    screen.say(f"B  {b.path.name}")
    screen.say(f"{found.relation}; {_verdict(found)}")
    _state(screen, found)
    _sides(screen, found)
    _facts(screen, found)
    _content(screen, found)
    if selection.as_json:
        verdict = {"identical": found.identical, "same_state": found.same_state}
        print_json({"success": True, **verdict, **_plain(found)})
    return EXIT_DONE


def _verdict(found: Comparison) -> str:
    if found.identical:
        return "the training state is identical"
    if not found.same_state:
        return "the training state is not the same"
    whole = not (found.a.lost or found.b.lost)
    return f"the training state{'' if whole else ', as far as it was captured,'} is the same, bit for bit"


def _state(screen: Screen, found: Comparison) -> None:
    screen.say()
    if found.same_state:
        screen.say(f"state digest of both: {found.state_digests[0]}")
    if found.identical:
        return
    if found.same_state:
        settings = ", and settings or versions" if found.compatibility or found.software else ""
        screen.say(f"Below is what differs all the same: times, sessions, lineage{settings}; none of it is state.")
        return
    screen.say("Training state that differs", style="bold")
    changed = [(fact.name, _equality(fact)) for fact in found.state if not fact.equal]
    screen.table([Column("part"), Column("A and B")], changed)


def _sides(screen: Screen, found: Comparison) -> None:
    names = ("steps", "session_id", "created", "exactness")
    rows = [(name.replace("_id", ""), str(getattr(found.a, name)), str(getattr(found.b, name))) for name in names]
    screen.say()
    screen.table([Column(""), Column("A"), Column("B")], rows)


def _facts(screen: Screen, found: Comparison) -> None:
    rows = [(str(item.verdict), item.name, item.checkpoint, item.current) for item in found.compatibility]
    rows += [("software", fact.name, fact.a or "-", fact.b or "-") for fact in found.software]
    screen.say()
    if rows:
        screen.say("A model of the one resumes from the other?", style="bold")
        screen.table([Column("verdict"), Column("fact"), Column("A"), Column("B")], rows)
    else:
        screen.say("Model, hyper-parameters, environment and software are the same.")
    if found.metrics:
        screen.say()
        screen.say("Metrics", style="bold")
        rows_of = [(fact.name, fact.a or "-", fact.b or "-", _change(fact)) for fact in found.metrics]
        right = [Column(title, right=True) for title in ("A", "B", "B - A")]
        screen.table([Column("name"), *right], rows_of)


def _change(fact: Fact) -> str:
    return f"{float(fact.b) - float(fact.a):+.6g}" if fact.a is not None and fact.b is not None else "-"


def _content(screen: Screen, found: Comparison) -> None:
    screen.say()
    screen.say("Files in the zip", style="bold")
    screen.table([Column("member"), Column("A and B")], [(fact.name, _bytes(fact, found)) for fact in found.members])
    if any(found.chunks):
        screen.say(f"replay chunks: {found.chunks[0]} in A, {found.chunks[1]} in B, {found.shared_chunks} shared")
    screen.say()
    screen.say(f"Weights: {_summary(found.weights)}", style="bold")
    changed = [(item.name, _largest(item)) for item in found.weights if not item.equal]
    if changed:
        screen.table([Column("changed"), Column("largest change", right=True)], changed)


def _bytes(fact: Fact, found: Comparison) -> str:
    told = _equality(fact)
    return "other bytes, the same state" if told == "changed" and found.same_state else told


def _equality(fact: Fact) -> str:
    if fact.equal:
        return "equal"
    return "only in B" if fact.a is None else "only in A" if fact.b is None else "changed"


def _summary(weights: Sequence[WeightChange]) -> str:
    changed = sum(not item.equal for item in weights)
    return f"{changed} changed, {len(weights) - changed} equal"


def _largest(item: WeightChange) -> str:
    return "another shape" if item.largest is None else f"{item.largest:.3g}"


def _plain(found: Comparison) -> dict[str, object]:
    data = asdict(found)
    for side, manifest, digest in zip("ab", (found.a, found.b), data.pop("state_digests"), strict=True):
        data[side] = _side(manifest) | {"state_digest": digest}
    data["state"] = {fact.name: _equality(fact) for fact in found.state}
    data["members"] = {fact.name: _equality(fact) for fact in found.members}
    data["weights"] = [asdict(item) | {"largest": _finite(item.largest)} for item in found.weights]
    return data


def _finite(value: float | None) -> float | None:
    return value if value is None or value - value == 0 else None


def _side(manifest: Manifest) -> dict[str, object]:
    fields = {"steps", "session_id", "created", "exactness", "digest", "parent", "lost"}
    return manifest.model_dump(mode="json", include=fields)
