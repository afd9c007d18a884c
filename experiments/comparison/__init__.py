"""Image-classification runs, compared: which runs a table needs, what became of them, and the table."""
