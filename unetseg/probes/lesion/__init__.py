"""Parts of trained networks switched off, without retraining."""
