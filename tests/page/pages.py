"""Reading a page back, with Python's own parser."""

import base64
import html.parser
import io

import numpy as np
from PIL import Image

from experiments import report
from experiments.page.markup import VOID


class Page(html.parser.HTMLParser):
    """What a page holds: `tags` (name, attributes), `cells` of its tables, `text`; raises if tags do not balance."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.rows, self.text, self._open = [], [], "", []
        self.feed(text)
        self.close()
        assert not self._open, self._open

    def handle_starttag(self, name, attributes):
        self.tags.append((name, dict(attributes)))
        if name not in VOID:
            self._open.append(name)
        if name == "tr":
            self.rows.append([])
        if name in ("td", "th") and self.rows:
            self.rows[-1].append("")

    def handle_startendtag(self, name, attributes):
        self.tags.append((name, dict(attributes)))

    def handle_endtag(self, name):
        assert self._open.pop() == name, name

    def handle_data(self, data):
        if "style" not in self._open:
            self.text += data
            if self._open and {"td", "th"} & set(self._open):
                self.rows[-1][-1] += ("|" if self._open[-1] == "small" else "") + data

    def values(self, name, attribute):
        """An attribute of all elements of one name."""
        return [attributes[attribute] for tag, attributes in self.tags if tag == name and attribute in attributes]

    def images(self):
        """All embedded pictures, as arrays."""
        sources = [source.removeprefix("data:image/png;base64,") for source in self.values("img", "src")]
        return [np.array(Image.open(io.BytesIO(base64.b64decode(source)))) for source in sources]


def write(directory, *arguments):
    """The page about a directory, as text."""
    assert report.main(["report", str(directory), *arguments]) == 0
    return (directory / "report.html").read_text()
