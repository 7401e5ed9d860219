"""One TOML card per dataset."""
