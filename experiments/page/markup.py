"""HTML and SVG by construction: whatever is not `Markup` is text, and is escaped."""

import html

VOID = ("meta", "img", "wbr", "circle", "line", "rect", "path", "polyline", "polygon")


class Markup(str):
    """Text that is HTML already."""


def tag(name, /, *children, **attributes):
    """An element.

    Args:
      name: its name.
      *children: `Markup`, or anything else, which becomes escaped text; None is left out; lists are flattened.
      **attributes: values are escaped; None and False leave the attribute out, True has no value; a trailing
        underscore (`class_`) is dropped and other underscores become hyphens.

    Returns:
      `Markup`.
    """
    opening = "".join(_attribute(key, value) for key, value in attributes.items())
    if name in VOID and not children:
        return Markup(f"<{name}{opening}/>")
    return Markup(f"<{name}{opening}>{join(children)}</{name}>")


def join(children):
    """Children one after another, as `Markup`."""
    return Markup("".join(_text(child) for child in children))


def _text(child):
    if child is None:
        return ""
    if isinstance(child, Markup):
        return child
    if isinstance(child, (list, tuple)):
        return join(child)
    return html.escape(str(child))


def _attribute(key, value):
    if value is None or value is False:
        return ""
    name = key.rstrip("_").replace("_", "-")
    return f" {name}" if value is True else f' {name}="{html.escape(str(value))}"'
