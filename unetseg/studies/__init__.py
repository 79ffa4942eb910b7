"""Arms by seeds into runs, and what their numbers say."""
