"""The report page: the real `main` on fabricated records, and on one real run."""

import csv
import json
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest

from experiments import al_mnist
from experiments.classification.config import ClassificationConfig
from experiments.page import collect
from experiments.records import load_run
from tests.conftest import ROOT, TINY, the_record
from tests.fabricated import fabricate
from tests.page.pages import Page, write
from tests.shridhar import written

EVIL = "<script>alert('x')</script>\"><img src=x onerror=alert(1)>&amp;"


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    """Three seeds of two cells, a deterministic network, and some that are not well."""
    root = tmp_path_factory.mktemp("records")
    for seed in range(3):
        fabricate(root / "BNN-1" / "random" / f"seed{seed}", acquisition="random", seed=seed)
        fabricate(root / "BNN-1" / "var_ratios" / f"seed{seed}", seed=seed, cycles=5 if seed else 3)
    fabricate(root / "BNN-2" / "seed0", arch="BNN-2", mu_init=-5.0, layers=("Dense1", "Dense2"))
    fabricate(root / "CNN" / "seed0", arch="CNN", layers=())
    damaged = fabricate(root / "BNN-3" / "seed0", arch="BNN-3")
    (damaged / "metrics.csv").write_text((damaged / "metrics.csv").read_text().replace("0.", "0.9", 1))
    empty = fabricate(root / "BNN-3" / "seed1", arch="BNN-3", seed=1)
    for path in [*empty.glob("*.csv"), empty / "acquired.npz", *(empty / "checkpoint").iterdir()]:
        path.unlink()
    shutil.copytree(root / "CNN", root / "copy of CNN")
    return root


@pytest.fixture(scope="module")
def page(records):
    return Page(write(records))


def errors(records, *parts):
    rows = list(csv.DictReader((records.joinpath(*parts) / "metrics.csv").read_text().splitlines()))
    return {int(row["labels"]): 100 * float(row["test_error"]) for row in rows}


def test_it_is_one_file_without_scripts_or_links_to_elsewhere(page):
    names = {name for name, _ in page.tags}
    assert not names & {"script", "link", "iframe", "object", "embed", "base", "form"}
    assert all(source.startswith("data:image/png;base64,") for source in page.values("img", "src"))
    assert all(target.startswith("#") for target in page.values("a", "href"))
    assert not [attributes for _, attributes in page.tags if any(name.startswith("on") for name in attributes)]
    (policy,) = [a["content"] for _, a in page.tags if a.get("http-equiv") == "Content-Security-Policy"]
    assert policy.startswith("default-src 'none'")
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids)) and {target[1:] for target in page.values("a", "href")} <= set(ids)


def test_the_table_of_errors(records, page):
    table = page.rows[: page.rows.index(["Network", "random", "var_ratios"], 1)]
    assert [row[0] for row in table] == ["Network", "BNN-1|μ = −3", "BNN-2|μ = −5", "CNN"]
    random = [errors(records, "BNN-1", "random", f"seed{seed}")[60] for seed in range(3)]
    assert table[1][1] == f"{np.mean(random):.2f}|± {np.std(random, ddof=1):.2f}"
    # the shortest run of the cell has 40 labels: all three are compared there
    ratios = [errors(records, "BNN-1", "var_ratios", f"seed{seed}")[40] for seed in range(3)]
    assert table[1][2] == f"{np.mean(ratios):.2f}|± {np.std(ratios, ddof=1):.2f}|at 40"
    assert table[2][1:] == ["–", f"{errors(records, 'BNN-2', 'seed0')[60]:.2f}|1 run"]
    assert table[3][1:] == ["–", f"{errors(records, 'CNN', 'seed0')[60]:.2f}|1 run"]


def test_the_table_of_labels_needed(tmp_path):
    for seed in range(3):
        fabricate(tmp_path / str(seed), seed=seed, max_labels=300, cycles=29)
    page = Page(write(tmp_path))
    (cell,) = [row[1] for row in page.rows if len(row) == 2 and "|5 %: " in row[1]]
    needed = []
    for limit in (10, 5):
        runs = [errors(tmp_path, str(seed)) for seed in range(3)]
        needed.append(sorted(min((n for n in run if run[n] <= limit), default=np.inf) for run in runs)[1])
    assert cell == "|5 %: ".join(f"{n:.0f}" if n < np.inf else "–" for n in needed) and needed[0] < 300


def test_records_that_are_not_well_are_named(page):
    assert "11 records7 complete" in page.text.replace(" records", " records")
    assert "1 damaged" in page.text and "2 unfinished" in page.text and "1 duplicate" in page.text
    notices = page.text.split("Not complete, or left out: 4 records")[1].split("digits")[0]
    assert "BNN-3/seed0metrics.csv is damaged (it is not what this run has written)" in notices
    assert "BNN-3/seed1no cycle is finished yet" in notices
    assert "BNN-1/var_ratios/seed040 of 60 labels" in notices
    assert "copy of CNN/seed0the same settings as CNN/seed0, which has gone as far; left out" in notices


def test_curves_and_bands_are_those_of_the_records(records):
    (section,) = collect.sections(collect.find(records))
    (group,) = [g for g in section.groups if (g.network, g.column) == ("BNN-1", "random")]
    labels, mean, low, high = group.curve("test_error")
    runs = [errors(records, "BNN-1", "random", f"seed{seed}") for seed in range(3)]
    for i, n in enumerate(labels):
        values = [run[n] / 100 for run in runs]
        assert (mean[i], low[i], high[i]) == pytest.approx((sum(values) / 3, min(values), max(values)))
    assert labels.tolist() == [20, 30, 40, 50, 60]


def test_every_part_of_a_run_is_there(page):
    for words in ("Calibration", "Posterior standard deviation", "Signal to noise", "KL to the prior", "Time per cycle",
                  "Acquired images, cycle by cycle", "This network has no Bayesian layer.", "Labelled images by class",
                  "cycle 4 · 60 labels · score 0.8 to 0.71", "Dense1", "Every cycle as a table"):  # fmt: skip
        assert words in page.text, words
    sigma = [label for label in page.values("svg", "aria-label") if label.startswith("sigma against")]
    assert "sigma against labelled images. Dense1: 0.05 to 0.054; Dense2: 0.1 to 0.104" in sigma


def test_many_runs_stay_folded(page):
    groups = [attributes for name, attributes in page.tags if name == "details" and attributes.get("class") == "group"]
    assert len(groups) == 4 and not any("open" in attributes for attributes in groups)


def test_the_same_records_give_the_same_page(records, page):
    assert write(records) == write(records)


def test_images_are_limited_in_all(records):
    few = Page(write(records, "--images=320"))
    assert "Acquired images, cycle by cycle (3 of 5 cycles)" in few.text
    width = sum(image.shape[1] // 8 for image in few.images())
    assert 0 < width <= 320


def test_all_text_is_escaped(tmp_path):
    facts = {"device": EVIL, "git_commit": EVIL, "versions": {EVIL: EVIL},
             "history": [{"from_cycle": EVIL, "changes": [EVIL]}],
             "dataset": {"name": EVIL, "version": EVIL, "train_images": EVIL, "test_images": EVIL}}  # fmt: skip
    evil = {"arch": EVIL, "acquisition": EVIL, "dataset": EVIL, "kl_scale": EVIL, EVIL: EVIL}
    fabricate(tmp_path / "<b>x&", facts=facts, layers=(EVIL,), **evil)
    damaged = fabricate(tmp_path / "<img src=x>")
    (damaged / "config.json").write_text(EVIL)
    text = write(tmp_path)
    page = Page(text)
    assert page.text.count(EVIL) >= 12
    assert {name for name, _ in page.tags}.isdisjoint({"script"}) and not page.values("img", "onerror")
    assert "<script" not in text and "<img src=x" not in text and "<b>x" not in text


def test_records_without_checkpoints(tmp_path):
    path = fabricate(tmp_path / "a")
    whole = Page(write(tmp_path))
    shutil.rmtree(path / "checkpoint")
    assert Page(write(tmp_path)).rows == whole.rows
    (path / "acquired.npz").unlink()
    (path / "calibration.csv").unlink()
    page = Page(write(tmp_path))
    assert page.rows == whole.rows and not page.values("img", "src")
    assert "The acquired images are not in this record." in page.text and "Not in this record." in page.text
    text = (path / "acquisitions.csv").read_text()
    (path / "acquisitions.csv").write_text(text[: text.rindex("4,")])
    assert "it has not as many rows as there are labels" in write(tmp_path)
    (path / "acquisitions.csv").write_text(text)
    (path / "posterior.csv").write_text("cycle,layer\n")
    assert "the columns of posterior are" in write(tmp_path)


def test_runs_of_several_devices_are_said_to_be(tmp_path):
    for seed, device in enumerate(("a processor", "a processor", "another", None)):
        fabricate(tmp_path / str(seed), seed=seed, facts={"device": device})
        words = {
            0: "",
            1: "",
            2: "2 on a processor, 1 on another. Each",
            3: "1 on an unknown device, 2 on a processor, ",
        }
        text = Page(write(tmp_path)).text
        assert words[seed] in text and ("made on several devices" in text) == bool(words[seed])


def test_initial_variances_of_both_arithmetics_stand_side_by_side(tmp_path):
    for mu, precision in ((-3.0, "bfloat16"), (-9.0, "float32")):
        fabricate(tmp_path / str(mu), mu_init=mu, precision=precision)
    fabricate(tmp_path / "CNN", arch="CNN", layers=(), precision="bfloat16")
    (section,) = collect.sections(collect.find(tmp_path))
    page = Page(write(tmp_path))
    assert len(section.groups) == 3
    compared = page.text.split("Initial variances compared")[1].split("Runs in detail")[0]
    assert "BNN-1 · var_ratios" in compared and "CNN" not in compared
    assert "μ = −3" in compared and "μ = −9" in compared
    words = "The runs differ in their arithmetic: bfloat16 (μ = −3, CNN); float32 (μ = −9). A difference"
    assert words in page.text
    # the same run in both is not two seeds
    fabricate(tmp_path / "again", mu_init=-3.0, precision="float32")
    both = collect.sections(collect.find(tmp_path))
    assert sorted(len(section.groups) for section in both) == [2, 2]
    assert all(len(group.entries) == 1 for section in both for group in section.groups)
    words = [collect.protocol_words(section, both)[0] for section in both]
    assert sorted(words) == ["precision = bfloat16", "precision = float32"]


def test_a_network_without_posterior_has_no_initial_variance(tmp_path):
    fabricate(tmp_path / "a", arch="lenet5", inference="frequentist", layers=())
    fabricate(tmp_path / "b", arch="lenet5", inference="variational")
    rows = [row[0] for row in Page(write(tmp_path)).rows]
    assert "lenet5" in rows and "lenet5|μ = −3" in rows


def test_one_initial_variance_is_not_compared(tmp_path):
    fabricate(tmp_path / "a")
    fabricate(tmp_path / "CNN", arch="CNN", layers=())
    assert "Initial variances compared" not in write(tmp_path)


def test_protocols_are_told_apart(tmp_path):
    fabricate(tmp_path / "a")
    fabricate(tmp_path / "b", epochs=100, arch="BNN")
    fabricate(tmp_path / "c", dataset="mnist", arch="MC-Dropout", test_dropout="true", layers=())
    page = Page(write(tmp_path))
    found = re.findall(r"(digits|mnist)(?: · )?(epochs = \d+)", page.text)
    assert sorted(set(found)) == [("digits", "epochs = 100"), ("digits", "epochs = 200"), ("mnist", "epochs = 200")]
    assert "test_dropout" not in page.text.split("Settings and origin")[0]


def test_errors_that_were_not_evaluated(tmp_path):
    path = fabricate(tmp_path / "a")
    shutil.rmtree(path / "checkpoint")
    rows = list(csv.reader((path / "metrics.csv").read_text().splitlines()))
    for row in rows[1:]:
        row[2:6] = [""] * 4
    (path / "metrics.csv").write_text("\n".join(map(",".join, rows)) + "\n")
    (path / "calibration.csv").unlink()
    page = Page(write(tmp_path))
    assert "Test error (%): not evaluated." in page.text and "No data." in page.text


def test_it_needs_no_tensorflow(tmp_path):
    fabricate(tmp_path / "a")
    code = (
        "import sys\n"
        "for name in ('tensorflow', 'tf_keras', 'tensorflow_probability', 'tensorflow_datasets', 'tensorboard'):\n"
        "    sys.modules[name] = None  # whoever imports it fails\n"
        "from experiments import report\n"
        "sys.exit(report.main(['report', sys.argv[1]]))"
    )
    finished = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout == f"{tmp_path / 'report.html'}: 1 record\n" and (tmp_path / "report.html").exists()


def test_a_real_run(tmp_path):
    assert al_mnist.main(["al_mnist", f"--output_dir={tmp_path}", *TINY, "--arch=BNN-2", "--max_labels=20"]) == 0
    run = load_run(the_record(tmp_path))
    page = Page(write(tmp_path))
    strips = np.concatenate(page.images(), axis=1)
    np.testing.assert_array_equal(strips, np.concatenate(list(run.acquired["image"][..., 0]), axis=1))
    error = 100 * run.tables["metrics"]["test_error"][-1]
    assert page.rows[1] == ["BNN-2|μ = −3", f"{error:.2f}"]
    assert {"Dense1", "Dense2"} <= set(re.findall(r"Dense\d", page.text)) and "1 record" in page.text


@pytest.fixture(scope="module")
def both_kinds(tmp_path_factory):
    """Two seeds of two ways of inference, one run of another schedule, one unfinished; and a run of active learning."""
    root = tmp_path_factory.mktemp("kinds")
    config = ClassificationConfig.preset("quick", dataset="digits", epochs=4, output_dir=str(root))
    shared = {"versions": {}, "history": []}
    for changes in (
        *({"seed": seed, "inference": inference} for seed in (0, 1) for inference in ("variational", "frequentist")),
        {"kl_schedule": "constant"},
        {"model": "alexnet", "epochs": 8},
    ):
        path = written.write(config.replace(**changes), written.falling(0.1 + 0.1 * changes.get("seed", 0), 4))
        known = json.loads((path / "config.json").read_text())
        (path / "config.json").write_text(json.dumps({**known, **shared}))
    fabricate(root / "al_mnist" / "seed0")
    return root


def test_image_classification_has_tables_of_its_own(both_kinds):
    page = Page(write(both_kinds))
    assert "Bayesian active learning and image classification" in page.text
    assert "digits: image classification" in page.text and "digits: active learning" in page.text
    assert "7 records6 complete1 unfinished" in page.text and "4 of 8 epochs" in page.text
    kinds = ("variational, kl_schedule = blundell", "variational, kl_schedule = constant", "frequentist")
    start = next(i for i, row in enumerate(page.rows) if row[1:] == [*kinds])
    assert page.rows[start + 1] == ["lenet5", "15.00|± 7.07", "10.00|1 run", "15.00|± 7.07"]
    assert page.rows[start + 2] == ["alexnet", "10.00|1 run", "–", "–"]
    for words in ("Test error (%) after 4 epochs; mean ± standard deviation of 2 runs", "Every epoch as a table",
                  "Uncertainty on the test set", "One weight of each layer", "Epistemic uncertainty (mean trace)",
                  "Time per epoch", "Inferences compared"):  # fmt: skip
        assert words in page.text, words
    weights = [label for label in page.values("svg", "aria-label") if label.startswith("weight against epochs")]
    assert "weight against epochs. Conv1: 0.5 to 0.47; Dense1: 0.5 to 0.47" in weights


def test_a_run_that_patience_ended_is_complete(tmp_path):
    config = ClassificationConfig.preset("quick", dataset="digits", epochs=9, patience=2, output_dir=str(tmp_path))
    path = written.write(config, [0.4, 0.2, 0.3, 0.25])
    known = json.loads((path / "config.json").read_text())
    (path / "config.json").write_text(json.dumps({**known, "versions": {}, "history": []}))
    assert "1 record1 complete" in Page(write(tmp_path)).text
    (path / "config.json").write_text(json.dumps({**known, "versions": {}, "history": [], "experiment": "cooking"}))
    page = Page(write(tmp_path))
    assert "1 damaged" in page.text and "cooking" in page.text


def test_settings_of_one_way_of_inference_are_named_too(tmp_path):
    config = ClassificationConfig(dataset="digits", epochs=2, output_dir=str(tmp_path), train_samples=1, mu_init=-9.0)
    path = written.write(config, [0.4, 0.2])
    known = json.loads((path / "config.json").read_text())
    (path / "config.json").write_text(json.dumps({**known, "versions": {}, "history": []}))
    assert "mu_init = -9, train_samples = 1" in Page(write(tmp_path)).text
