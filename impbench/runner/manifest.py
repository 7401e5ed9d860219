"""The manifest of a run: everything a reader of its report needs besides the records."""
