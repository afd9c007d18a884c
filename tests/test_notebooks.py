"""The notebooks: run from top to bottom in a small size, committed with the outputs of a real run, one address."""

import importlib.util
import json
import re
import shutil

import nbformat
import pytest
from nbclient import NotebookClient

from tests.conftest import ROOT

TINY = {"epochs": 2, "num_samples": 3, "max_labels": 30}
SETTINGS = {
    "quickstart": {**TINY, "max_labels": 40},
    "table2": {**TINY, "archs": "BNN-1,CNN", "acquisitions": "var_ratios"},
    "table3": {**TINY, "archs": "BNN-1", "acquisitions": "var_ratios", "mus": "-3,-5"},
}
SHOWN = {
    "quickstart": ["Dense1: ", "test error", "<Figure"],
    "table2": ["BNN-1", "var_ratios", "report.html: 2 records", "Image"],
    "table3": ["BNN-1", "var_ratios", "report.html: 2 records", "Image"],
}
ADDRESS = "OWNER" + "/REPO"  # spelt so that this file does not hold it


def notebook(name):
    return nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", as_version=4)


def address_module():
    spec = importlib.util.spec_from_file_location("address", ROOT / "docs" / "address.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def said(cells):
    """All text that cells put out."""
    parts = []
    for output in (output for cell in cells for output in cell.get("outputs", [])):
        parts += [output.get("text", ""), *(str(value) for value in output.get("data", {}).values())]
    return "\n".join(parts)


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_notebook_runs_from_top_to_bottom(name, tmp_path, monkeypatch):
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "3")
    content = notebook(name)
    (place,) = [i for i, cell in enumerate(content.cells) if "parameters" in cell.metadata.get("tags", [])]
    assert content.cells[place].source.startswith("quick = True")
    content.cells.insert(place + 1, nbformat.v4.new_code_cell(f"settings = {SETTINGS[name]!r}"))
    for cell in (cell for cell in content.cells if cell.cell_type == "code"):
        cell.outputs = []
    where = {"metadata": {"path": str(tmp_path)}}
    NotebookClient(content, timeout=280, kernel_name="python3", resources=where).execute()
    text = said(content.cells)
    for words in SHOWN[name]:
        assert words in text, words
    if name != "quickstart":
        assert (tmp_path / "runs" / "report.html").exists()


@pytest.mark.parametrize("name", SETTINGS)
def test_a_notebook_is_committed_with_its_outputs(name):
    content = notebook(name)
    nbformat.validate(content)
    code = [cell for cell in content.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert any("image/png" in output.get("data", {}) for cell in code for output in cell.outputs)
    assert not [output for cell in code for output in cell.outputs if output.output_type == "error"]
    assert not re.search(r"Traceback|WARNING|/tmp/|/home/|/root/", said(code))


@pytest.mark.parametrize("name", SETTINGS)
def test_a_notebook_holds_no_logic(name):
    code = [cell.source for cell in notebook(name).cells if cell.cell_type == "code"][1:]
    assert max(len(source.splitlines()) for source in code) <= 30
    assert not re.search(r"^\s*(class|try|import tensorflow)\b", "\n".join(code), re.M)


def test_badges_installation_and_citation_are_generated():
    for path, text in address_module().files().items():
        assert path.read_text(encoding="utf-8") == text, f"{path.name}: run `python docs/address.py`"


def test_the_address_stands_in_one_place(tmp_path):
    ignored = shutil.ignore_patterns(".*", "*.egg-info", "runs", "__pycache__", "build", "dist", "venv")
    copy = shutil.copytree(ROOT, tmp_path / "copy", ignore=ignored)
    module, other = address_module(), "somebody" + "/something"
    (copy / "docs" / "address.txt").write_text(other + "\n")
    for path, text in module.files(copy).items():
        path.write_text(text, encoding="utf-8")
    texts = {path: path.read_bytes().decode(errors="ignore") for path in copy.rglob("*") if path.is_file()}
    assert [path for path, text in texts.items() if ADDRESS in text] == []
    generated = {copy / path.relative_to(ROOT) for path in module.files()}
    assert {path for path, text in texts.items() if other in text} == {*generated, copy / "docs" / "address.txt"}
    named = {name for text in texts.values() for name in re.findall(r"\bgithub(?:\.com)?/([\w-]+/[\w-]+)", text)}
    assert named == {other}


def test_the_first_cell_keeps_the_tensorflow_that_is_there():
    module = address_module()
    setup = (ROOT / "setup.py").read_text()
    required = re.search(r"install_requires=\[(.*?)\n    \]", setup, re.S).group(1)
    names = {re.match(r"[\w-]+", name).group(0) for name in re.findall(r'"([^"]+)",', required)}
    assert set(module.REQUIRED.split()) == names - {"tensorflow"}
    for name in module.NOTEBOOKS:
        cell = notebook(name).cells[1].source
        assert "--no-deps" in cell and "--constraint there.txt tensorflow " in cell
        assert (
            cell.index("find_spec") < cell.index("--constraint") < cell.index("--no-deps")
        )  # what is found comes last


def test_notebooks_open_in_colab():
    for name in SETTINGS:
        first = notebook(name).cells[0].source
        assert re.search(rf"colab\.research\.google\.com/github/[\w./-]+/notebooks/{name}\.ipynb", first)
        assert json.loads((ROOT / "notebooks" / f"{name}.ipynb").read_text())["nbformat"] == 4
