"""Where sessions run: backends, the bundle that they receive, and how they are watched."""
