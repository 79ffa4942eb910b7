"""Labels as annotation tools write them: objects with outlines or runs of pixels, read and written."""
