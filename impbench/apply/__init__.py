"""One method applied to a user's own data, in memory or in a file."""
