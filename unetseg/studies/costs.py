"""What the nets of a study cost: parameters and multiply-adds."""
