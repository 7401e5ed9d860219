"""Datasets: catalogue, readers, simulator and preparation."""
