"""The only reader and writer of image files."""
