"""Tables of texts as CSV, Markdown and LaTeX."""

import csv
import io

_LATEX = {"%": r"\%", "_": r"\_", "&": r"\&", "#": r"\#", "±": r"$\pm$", "×": r"$\times$"}


def to_csv(rows):
    """Dicts that share their keys as CSV text; floats by their shortest repr, empty for None and nan."""
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, list(rows[0]) if rows else [], lineterminator="\n")
    writer.writeheader()
    writer.writerows({key: _plain(value) for key, value in row.items()} for row in rows)
    return buffer.getvalue()


def to_markdown(header, rows):
    """A Markdown table of texts."""
    lines = [header, ["---"] * len(header), *rows]
    return "".join("| " + " | ".join(str(cell).replace("|", r"\|") for cell in line) + " |\n" for line in lines)


def to_latex(header, rows):
    """A LaTeX tabular of texts, for any document class."""
    lines = [" & ".join(latex(cell) for cell in line) + r" \\" for line in (header, *rows)]
    body = "\n".join([r"\hline", lines[0], r"\hline", *lines[1:], r"\hline"])
    return f"\\begin{{tabular}}{{l{'c' * (len(header) - 1)}}}\n{body}\n\\end{{tabular}}\n"


def latex(text):
    """A text with LaTeX's special characters escaped."""
    return "".join(_LATEX.get(character, character) for character in str(text))


def _plain(value):
    if value is None or value != value:
        return ""
    return float(value) if isinstance(value, float) else value
