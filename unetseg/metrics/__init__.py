"""Masks into numbers: plain numpy in, floats out."""
