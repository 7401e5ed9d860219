"""What several methods need; no method imports from another one's folder."""
