"""Hold the version of impbench, for modules that must not import the rest of it."""

__version__ = "0.1.0"
