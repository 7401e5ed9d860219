"""The version of impbench, for whatever must not import the rest of it."""

__version__ = "0.1.0"
