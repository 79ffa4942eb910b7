"""Datasets, images and augmentation."""
