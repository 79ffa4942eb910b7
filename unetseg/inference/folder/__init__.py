"""A folder of images in, a folder of masks out."""
