"""Writes the repository's public address wherever it is needed; `docs/address.txt` is the one place that says it.

    echo alice/bayes-layers > docs/address.txt && python docs/address.py

What is written: the badges of README.md, the first two cells of each notebook (its badge, its installation), and
`repository-code` in CITATION.cff.
"""

import json
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parent.parent
NOTEBOOKS = ("quickstart", "table2", "table3")
BADGES = re.compile(r"(?<=<!-- badges: docs/address.py -->\n).*?(?=<!-- end of badges -->)", re.S)
CODE = re.compile(r"^repository-code:.*$", re.M)

# What setup.py requires, TensorFlow aside.
REQUIRED = (
    "absl-py importlib_resources matplotlib numpy pillow psutil scikit-learn scipy tensorboard "
    "tensorflow-datasets tensorflow-probability tf_keras tqdm"
)
INSTALL = """\
# Installs the package where it is missing. A TensorFlow that is there, as on Colab, is not replaced.
import importlib.metadata
import importlib.util
import pathlib

if importlib.util.find_spec("bayes_layers") is None:
    there = "".join(f"tensorflow=={found.version}\\n" for found in importlib.metadata.distributions(name="tensorflow"))
    if there:
        pathlib.Path("there.txt").write_text(there)
        %pip install --quiet --constraint there.txt tensorflow REQUIRED
        %pip install --quiet --no-deps git+https://github.com/ADDRESS
    else:
        %pip install --quiet git+https://github.com/ADDRESS"""


def address(root=ROOT):
    """The public address, `<owner>/<repository>`."""
    return (root / "docs" / "address.txt").read_text().strip()


def badge(where, notebook):
    """The badge that opens a notebook in Colab, in Markdown."""
    target = f"https://colab.research.google.com/github/{where}/blob/main/notebooks/{notebook}.ipynb"
    return f"[![Open {notebook} in Colab](https://colab.research.google.com/assets/colab-badge.svg)]({target})"


def files(root=ROOT):
    """What the files that hold the address should be: dict from path to text."""
    where = address(root)
    paths = [root / "README.md", root / "CITATION.cff", *(root / "notebooks" / f"{name}.ipynb" for name in NOTEBOOKS)]
    readme, citation, *notebooks = (path.read_text(encoding="utf-8") for path in paths)
    badges = "".join(f"{badge(where, name)}\n" for name in NOTEBOOKS)
    texts = [BADGES.sub(badges, readme), CODE.sub(f"repository-code: https://github.com/{where}", citation)]
    texts += [_notebook(text, where, name) for text, name in zip(notebooks, NOTEBOOKS, strict=True)]
    return dict(zip(paths, texts, strict=True))


def _notebook(text, where, name):
    content = json.loads(text)
    sources = {"badge": badge(where, name), "install": INSTALL.replace("ADDRESS", where).replace("REQUIRED", REQUIRED)}
    for cell, (identity, source) in zip(content["cells"], sources.items(), strict=False):
        assert cell["id"] == identity, f"notebooks/{name}.ipynb begins with the cells {', '.join(sources)}"
        cell["source"] = source.splitlines(keepends=True)
    return json.dumps(content, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


if __name__ == "__main__":
    for path, text in files().items():
        path.write_text(text, encoding="utf-8")
