"""The loss surface round the weights of trained runs."""
