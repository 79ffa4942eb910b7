"""What every room may use: files, text, YAML, progress, signals, processes and threads."""
