"""Entry points, one per table or figure of a paper, and the machinery that they share."""
