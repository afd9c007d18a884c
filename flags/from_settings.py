"""absl flags from groups of settings, and a frozen config from the flags."""

import dataclasses
import difflib
import textwrap

from absl import flags

from bayes_layers.settings import SettingError, check, setting, valid_values

HELP_FLAGS = ("help", "helpshort", "helpfull", "h")


class _SettingParser(flags.ArgumentParser):
    """An absl parser that checks a value by its setting's declaration."""

    def __init__(self, field):
        super().__init__()
        self.field = field

    def parse(self, argument):
        return check(self.field, argument)

    def flag_type(self):
        return type(self.field.default).__name__


class _SettingFlag(flags.Flag):
    """An absl flag that allows `--warm_start` and `--nowarm_start` for true-or-false settings."""

    def __init__(self, field):
        super().__init__(
            _SettingParser(field),
            flags.ArgumentSerializer(),
            field.name,
            None,
            field.metadata["help"],
            boolean=isinstance(field.default, bool),
        )


def define(groups, presets=()):
    """Flags for all settings of the groups.

    Args:
      groups: settings classes; the docstring of each is its heading.
      presets: names of presets; where there are any, `--preset` is defined.

    Returns:
      `absl.flags.FlagValues` of these flags only, all of them unset.
    """
    values = flags.FlagValues()
    for group in groups:
        for field in dataclasses.fields(group):
            flags.DEFINE_flag(_SettingFlag(field), flag_values=values, module_name=group.__name__)
    if presets:
        preset = setting("", "Named set of settings; single flags override it.", choices=presets)
        preset.name = "preset"
        flags.DEFINE_flag(_SettingFlag(preset), flag_values=values)
    return values


def config_from(config_class, values, presets):
    """The frozen config of parsed flags: a preset's settings, overridden by the flags that were given.

    Where the config has `dimensions` (`archs` beside `arch`), a list overrides a preset's single value.

    Raises:
      SettingError: for values that do not fit together.
    """
    given = {
        field.name: values[field.name].value for field in dataclasses.fields(config_class) if values[field.name].present
    }
    preset = dict(presets.get(values.preset, {})) if presets else {}
    for many, one in getattr(config_class, "dimensions", {}).items():
        if many in given:
            preset.pop(one, None)
    return config_class().replace(**{**preset, **given})


def parse(values, argv):
    """Parses a command line.

    Args:
      values: what `define` returned.
      argv: the program's name and its arguments.

    Returns:
      True, or False if the help text was asked for.

    Raises:
      SettingError: for an unknown flag, a bad value or a stray argument, in one line.
    """
    if any(argument.lstrip("-") in HELP_FLAGS and argument.startswith("-") for argument in argv[1:]):
        return False
    try:
        rest = values(argv)
    except flags.UnrecognizedFlagError as error:
        close = difflib.get_close_matches(error.flagname, list(values), n=1)
        hint = f"; did you mean --{close[0]}?" if close else ""
        raise SettingError(f"there is no flag --{error.flagname}{hint} (see --help)") from None
    except (flags.Error, ValueError) as error:
        raise SettingError(_one_line(error, values)) from None
    if len(rest) > 1:
        raise SettingError(f"unexpected argument {rest[1]!r}: settings are given as --name=value (see --help)")
    return True


def _one_line(error, values):
    text = " ".join(str(error).split())
    marker = "is not valid: "
    if text.startswith("Missing value for flag --"):
        name = text.rsplit("--", 1)[1]
        return f"--{name} needs a value: it takes {valid_values(values[name].parser.field)}"
    if marker in text:  # absl puts "flag --x=y: " in front of our own message
        return text[text.rindex("--", 0, text.index(marker)) :]
    return text


def help_text(description, groups, presets=(), width=100):
    """The text of `--help`: flags by group, with default and valid values."""
    lines = [description.strip(), ""]
    has_results = any(field.metadata["result"] for group in groups for field in dataclasses.fields(group))
    if presets:
        lines += [
            "Presets",
            f"  --preset={'|'.join(presets)}",
            "      Named set of settings; single flags override it.",
        ]
    for group in groups:
        lines += ["", group.__doc__.strip()]
        for field in dataclasses.fields(group):
            default = str(field.default).lower() if isinstance(field.default, bool) else field.default
            lines.append(f"  --{field.name}={default}")
            is_idle = has_results and not field.metadata["result"] and not group.chooses_runs
            note = " (Does not change results.)" if is_idle else ""
            text = f"{field.metadata['help']} Takes {group.takes(field)}.{note}"
            lines += textwrap.wrap(
                text, width, initial_indent=" " * 6, subsequent_indent=" " * 6, break_on_hyphens=False
            )
    return "\n".join(lines) + "\n"
