"""Imputers that are programs: a TOML manifest says how to call them, files carry the data."""
