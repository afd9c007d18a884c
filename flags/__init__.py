"""Command-line flags, made from the declarations of the settings, and read at the door only."""

from flags.from_settings import config_from, define, help_text, parse

__all__ = ["config_from", "define", "help_text", "parse"]
