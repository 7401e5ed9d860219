"""What tests of environments need of the machine."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.fixture(scope="session")
def package_registry(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Skip where pip reaches no registry: building needs one."""
    folder = tmp_path_factory.mktemp("wheels")
    command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--retries=0"]
    asked = subprocess.run(
        [*command, "--timeout=20", f"--dest={folder}", "pluggy==0.13.1"], capture_output=True
    )
    if asked.returncode != 0:
        pytest.skip("pip reaches no package registry")
