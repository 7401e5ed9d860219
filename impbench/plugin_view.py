"""List what a stranger's plugin may and may not read while another process describes it."""

from __future__ import annotations

from pathlib import Path

hidden: set[Path] = set()
"""Files that no plugin may read: a user's own, with labels perhaps."""

readable: set[Path] = set()
"""What the user opened for methods."""
