"""A plan from the data: what is seen in them, what is measured here, and the settings that follow."""
