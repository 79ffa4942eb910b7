"""A study for a paper: figures as SVG and PDF, tables as LaTeX and CSV, the methods with citations."""
