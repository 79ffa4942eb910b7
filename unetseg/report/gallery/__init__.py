"""Pictures of images, masks and errors."""
