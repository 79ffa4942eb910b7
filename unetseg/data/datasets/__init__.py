"""Datasets: found, opened, checked and installed."""
