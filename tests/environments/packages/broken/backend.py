"""Builds a package that cannot be built."""


def build_wheel(folder, config_settings=None, metadata_directory=None):
    raise RuntimeError("no compiler today")
