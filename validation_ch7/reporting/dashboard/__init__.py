"""The dashboard: gathered from journal, checkpoints and curves into plain values, then written as one page."""
