"""``abandon``: give up a session that was left unfinished, so that training goes on without it."""

from __future__ import annotations

import dataclasses

from validation_ch7.cli.outcome import print_json
from validation_ch7.cli.screen import Screen
from validation_ch7.cli.selection import Selection
from validation_ch7.errors import ConfigurationError
from validation_ch7.journal import Journal, JournalEntry, Phase

EXIT_DONE = 0
GIVEN_UP = "given up by hand"


def abandon_session(selection: Selection, session_id: str, yes: bool) -> int:
    """Mark an unfinished session as failed; without ``yes``, say what that means.

    Raises:
        ConfigurationError: there is no such session, or nothing of it is left to do.
    """
    journal, screen = Journal(selection.root / "validation_output" / "sessions"), Screen(selection.as_json)
    entry = _unfinished(journal, session_id)
    if yes:
        store = dataclasses.replace(selection, scenario=entry.scenario).open()
        with store.exclusive(f"abandoning session {session_id}"):
            journal.advance(session_id, Phase.FAILED, GIVEN_UP, error=GIVEN_UP, status="abandoned")
        screen.say(f"Session {session_id} is given up; the next run starts from the newest checkpoint that is here")
    else:
        where = f" as {entry.kernel_slug}" if entry.kernel_slug else ""
        screen.say(f"Session {session_id} was left {entry.phase} on {entry.backend}{where}.")
        screen.say("Giving it up does not stop it. What it trained is not restored; add --yes to do so")
    if selection.as_json:
        print_json({"success": True, "status": "abandoned" if yes else "planned", "session_id": session_id})
    return EXIT_DONE


def _unfinished(journal: Journal, session_id: str) -> JournalEntry:
    entries = [entry for entry in journal.entries() if not entry.phase.over]
    for entry in entries:
        if session_id in (entry.session_id, entry.kernel_slug):
            return entry
    raise ConfigurationError(
        "There is no unfinished session of this name.",
        where=journal.folder,
        expected=", ".join(entry.session_id for entry in entries) or "none is unfinished",
        found=session_id,
        remedy="list the sessions with: python -m validation_ch7 status",
    )
