"""Images into masks."""
