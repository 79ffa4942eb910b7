"""Results into a page that opens offline: figures, pictures and text in one HTML file."""
