"""What a stranger's plugin may read, and may not, while a process of its own describes it."""

from __future__ import annotations

from pathlib import Path

hidden: set[Path] = set()
"""Files that no plugin may read: a user's own, with labels perhaps."""

readable: set[Path] = set()
"""What the user opened for methods."""
