"""Where a record lies. Light: no TensorFlow."""

import dataclasses
import hashlib
import pathlib
import re

LONGEST_NAME = 200  # of a directory; file systems allow 255 bytes


def text_of(value):
    """A setting's value as it stands in a path: `-3`, `0.1`, `true`, `labels`."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return repr(int(value)) if value == int(value) and abs(value) < 1e15 else repr(value)
    return str(value)


def settings_part(config):
    """`mu<mu_init>` and every other result-changing setting that is not at its default."""
    own_place = ["arch", "acquisition", "dataset", "mu_init", "seed"]
    if config.is_estimator_usual:  # said or not, it is the same run
        own_place.append("estimator")
    return changed_settings(f"mu{text_of(config.mu_init)}", config, own_place)


def wrapped(path, width=100):
    """A path in lines of about this width, for the title of a picture."""
    lines = [""]
    for piece in re.split(r"(?<=[/,])", str(path)):
        if len(lines[-1]) + len(piece) > width:
            lines.append("")
        lines[-1] += piece
    return "\n".join(lines)


def changed_settings(first, config, own_place):
    """A directory's name: `first`, then `,<setting>=<value>` for every setting that says what a run is.

    Args:
      first: the name's beginning.
      config: a config; result-changing settings that are not at their default are named, in alphabetical order.
      own_place: settings that are not named, since they have a place of their own or mean nothing.

    Returns:
      str, not too long for a file system.
    """
    parts = [first]
    for field in sorted(dataclasses.fields(config), key=lambda field: field.name):
        value = getattr(config, field.name)
        if field.metadata["result"] and field.name not in own_place and value != field.default:
            parts.append(f"{field.name}={text_of(value)}")
    name = ",".join(parts)
    if len(name) > LONGEST_NAME:
        digest = hashlib.sha256(name.encode()).hexdigest()[:16]
        name = f"{name[: LONGEST_NAME - 21].rsplit(',', 1)[0]},and={digest}"
    return name


def record_path(config, dataset):
    """`<output_dir>/al_mnist/<dataset>/<arch>/<acquisition>/mu<mu_init>[,<setting>=<value>...]/seed<seed>`."""
    return (
        pathlib.Path(config.output_dir).expanduser()
        / "al_mnist"
        / dataset
        / config.arch
        / config.acquisition
        / settings_part(config)
        / f"seed{config.seed}"
    )
