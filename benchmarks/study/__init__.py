"""What it costs to train the chains of a study on Ray instead of in a bare loop."""
