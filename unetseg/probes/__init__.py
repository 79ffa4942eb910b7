"""What is asked of nets rather than of the scores of runs."""
