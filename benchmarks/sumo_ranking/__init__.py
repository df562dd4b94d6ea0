"""Does the ranking of controllers on our traffic model hold on SUMO? One intersection, the same rules, both."""
