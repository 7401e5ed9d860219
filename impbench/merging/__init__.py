"""Put runs together: slices of one suite, runs of several machines, rows that others sent."""
