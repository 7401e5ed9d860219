"""Protocols: each file is one way of asking the question."""
