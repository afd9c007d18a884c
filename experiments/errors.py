"""Mistakes and mishaps that a user can mend. Light: no TensorFlow."""


class UserError(Exception):
    """Shown as one line, without a traceback; the message says what is wrong and what to do."""


class DataError(UserError):
    """A data set cannot be had or is damaged."""


class RecordError(UserError):
    """A record on disk is damaged, belongs to another configuration, or is in use."""


class RecordInUse(RecordError):
    """Another live process works on a record."""
