"""The work of the entry points that examine a trained record."""
