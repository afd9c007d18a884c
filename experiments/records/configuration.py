"""What the `config.json` of a record may say. Light: no TensorFlow."""

import dataclasses
import math

from experiments.active_learning.config import ActiveLearningConfig
from experiments.classification.config import ClassificationConfig
from experiments.records.layout import ACTIVE_LEARNING, layout_of

_PARTS = {"dataset": dict, "versions": dict, "history": list}


def check_configuration(known):
    """Raises ValueError, KeyError or TypeError unless the content of a `config.json` has the types that it must have.

    Values that no setting takes are let pass, since another version may know them: only their types are checked.
    """
    layout = layout_of(known)
    config_class = ActiveLearningConfig if layout is ACTIVE_LEARNING else ClassificationConfig
    fields = {field.name: field for field in dataclasses.fields(config_class)}
    for name, value in known["settings"].items():
        if not _is_setting(value, fields.get(name)):
            raise ValueError(f"{name} = {value!r}")
    for name, kind in _PARTS.items():
        if not isinstance(known.get(name, kind()), kind):
            raise ValueError(f"{name} = {known[name]!r}")
    for change in known.get("history", ()):
        change[f"from_{layout.unit}"], "; ".join(change["changes"])


def _is_setting(value, field):
    """Whether a value has a type that a setting may have: that of `field`, if it is known."""
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if is_number and not (isinstance(value, int) or math.isfinite(value)):
        return False
    if field is None:
        return is_number or isinstance(value, (bool, str))
    if isinstance(field.default, str):
        return isinstance(value, str) or (bool(field.metadata["or_words"]) and is_number)
    if isinstance(field.default, float):
        return is_number
    return type(value) is type(field.default)
