"""The page itself, its tables, and the files beside it."""
