"""Settings: frozen dataclasses whose fields know their range, their help text and their place.

A setting is declared once, as a field of a frozen dataclass. From that one declaration follow the
check of its value (here), its command-line flag (`flags`), its line in `--help`, and its part in the
path of a record (`experiments.records`). This module imports neither absl nor TensorFlow.
"""

import dataclasses
import math


class SettingError(ValueError):
    """A value that a setting does not take. The message names the setting and the valid values."""


def setting(
    default,
    help,
    *,
    choices=None,
    minimum=None,
    above=None,
    maximum=None,
    below=None,
    or_words=(),
    result=True,
    in_record=True,
):
    """Declares one setting as a dataclass field.

    Args:
      default: its default; the type of the default is the setting's type.
      help: one sentence for `--help`.
      choices: the valid values of a string setting, or None.
      minimum, maximum: inclusive bounds of a number.
      above, below: exclusive bounds of a number.
      or_words: words that a number may be replaced by (the setting's default is then a word).
      result: whether another value gives another result (then it belongs to a record's identity).
      in_record: whether a record's `config.json` states it (a place on a disk is no property of a run).

    Returns:
      A `dataclasses.field`.
    """
    metadata = {
        "help": help,
        "choices": choices and tuple(choices),
        "minimum": minimum,
        "above": above,
        "maximum": maximum,
        "below": below,
        "or_words": tuple(or_words),
        "result": result,
        "in_record": in_record,
    }
    return dataclasses.field(default=default, metadata=metadata)


def same_setting(group, name, default, help=None, **changes):
    """Declares a setting like one of another group, with another default, and perhaps other words or places.

    Args:
      group: the `Settings` class that has it.
      name: the setting.
      default: the default here.
      help: other words for `--help`, or None.
      **changes: other arguments of `setting`.

    Returns:
      A `dataclasses.field`.
    """
    metadata = dict(group.__dataclass_fields__[name].metadata)
    return setting(default, **{**metadata, **changes, "help": help or metadata["help"]})


def valid_values(field):
    """What a setting takes, in words, for error messages and `--help`."""
    m = field.metadata
    if m["choices"]:
        return "one of " + ", ".join(m["choices"])
    if isinstance(field.default, bool):
        return "true or false"
    if isinstance(field.default, str) and not m["or_words"]:
        return "a text"
    bounds = [
        f"{word} {m[key]}"
        for key, word in (
            ("minimum", "of at least"),
            ("above", "greater than"),
            ("maximum", "at most"),
            ("below", "less than"),
        )
        if m[key] is not None
    ]
    kind = "a whole number" if isinstance(field.default, int) else "a finite number"
    words = "".join(f"{word}, " for word in m["or_words"]) + ("or " if m["or_words"] else "")
    return words + " ".join([kind, *[" and ".join(bounds)]]).strip()


def check(field, value):
    """Returns `value` in the setting's type.

    Args:
      field: the dataclass field made by `setting`.
      value: the value, or its text from a command line.

    Returns:
      The value as str, bool, int or float.

    Raises:
      SettingError: if the setting does not take this value.
    """
    try:
        checked = _converted(field, value)
        _check_range(field, checked)
        return checked
    except (TypeError, ValueError, OverflowError):
        raise SettingError(f"--{field.name}={value} is not valid: it takes {valid_values(field)}") from None


def _converted(field, value):
    m = field.metadata
    if m["choices"]:
        text = str(value).lower() if isinstance(value, bool) else str(value)
        if text not in m["choices"]:
            raise ValueError
        return text
    if isinstance(field.default, bool):
        return _as_bool(value)
    if m["or_words"]:
        return str(value) if value in m["or_words"] else float(value)
    if isinstance(field.default, str):
        return str(value)
    if isinstance(value, bool):
        raise TypeError
    if isinstance(field.default, int):
        return int(value) if isinstance(value, str) else value.__index__()
    return float(value)


def _as_bool(value):
    text = str(value).lower()
    if text in ("true", "t", "1", "yes", "y"):
        return True
    if text in ("false", "f", "0", "no", "n"):
        return False
    raise ValueError


def _check_range(field, value):
    if isinstance(value, (bool, str)):
        return
    m = field.metadata
    within = (
        math.isfinite(value)
        and (m["minimum"] is None or value >= m["minimum"])
        and (m["above"] is None or value > m["above"])
        and (m["maximum"] is None or value <= m["maximum"])
        and (m["below"] is None or value < m["below"])
    )
    if not within:
        raise ValueError


@dataclasses.dataclass(frozen=True)
class Settings:
    """Base of all groups of settings: every field is checked when an instance is made.

    Attributes:
      chooses_runs: whether the settings say which runs are made, so that `--help` does not call them of no effect.
    """

    chooses_runs = False

    @classmethod
    def takes(cls, field):
        """What one of the settings takes, in words."""
        return valid_values(field)

    def __post_init__(self):
        for field in dataclasses.fields(self):
            object.__setattr__(self, field.name, check(field, getattr(self, field.name)))

    def replace(self, **changes):
        """A copy with other values, checked again."""
        unknown = set(changes) - {field.name for field in dataclasses.fields(self)}
        if unknown:
            raise SettingError(f"no such setting: {', '.join(sorted(unknown))}")
        return dataclasses.replace(self, **changes)


def check_directory(setting_name, text):
    """Raises SettingError if a text cannot be a directory's name; TensorFlow takes UTF-8 alone."""
    try:
        is_name = bool(text.encode())
    except UnicodeEncodeError:
        is_name = False
    if not is_name:
        raise SettingError(f"--{setting_name}={text} is not valid: it takes a directory, with a name in UTF-8")


def names_in(setting_name, text, known):
    """The names in a comma-separated setting; all that are known for "all".

    Raises:
      SettingError: if one is not known.
    """
    names = tuple(known) if text == "all" else tuple(part.strip() for part in text.split(","))
    if set(names) - set(known):
        raise SettingError(f"--{setting_name}={text} is not valid: it takes all, or names of {', '.join(known)}")
    return names
