"""A page on this machine on which the long skips of a trained net are turned down by hand."""
