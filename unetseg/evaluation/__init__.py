"""Trained runs into scores."""
