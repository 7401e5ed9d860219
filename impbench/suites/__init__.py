"""Named benchmarks, one TOML file each."""
