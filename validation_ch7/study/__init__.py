"""Studies: many chains, one for each algorithm, scenario and training seed, trained and judged by one command."""
