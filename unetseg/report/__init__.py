"""Results into Markdown, CSV and one HTML page."""
