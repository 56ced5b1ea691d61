"""Generated tests: cases, the pytest plugin, the run."""
