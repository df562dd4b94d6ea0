"""The report of a study: numbers, figures and a LaTeX section, all from one table of recorded episodes."""
