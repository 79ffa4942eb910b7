"""Configurations into trained runs."""
