"""The runner: suite → jobs → sandboxed workers → scores → records."""
