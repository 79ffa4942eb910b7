"""Public sets as cards: one YAML file says all there is to say about one."""
