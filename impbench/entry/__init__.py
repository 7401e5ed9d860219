"""How others enter a benchmark: a method placed among published rows, a row sent for review."""
