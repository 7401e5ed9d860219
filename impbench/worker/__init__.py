"""The process that imputes, its walls, and what the runner needs to start, watch and end it."""
