"""Commands: parsing, text and exit codes; no decisions."""
