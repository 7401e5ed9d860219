"""Whether scores still hold: a run against a stored baseline, or two runs side by side."""
