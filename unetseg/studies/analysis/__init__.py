"""From scores to differences, verdicts and results."""
