"""Tables, figures and claims of Shridhar 2019 from records written by hand, by the real `main`s."""

import csv
import dataclasses
import importlib
import subprocess
import sys

import pytest

from experiments import pruning
from experiments.comparison.config import ComparisonConfig
from experiments.comparison.results import COMPLETE, Cell, Row, configs_of, read
from experiments.examination.columns import STAGES
from experiments.records.load import load_tables
from experiments.records.trained import metrics_sha256
from experiments.shridhar import published, table7
from experiments.shridhar.claims import epistemic_correlation
from experiments.shridhar.networks import NETWORKS
from tests.conftest import ROOT
from tests.shridhar.written import falling, write
from tests.studies.test_report import WITHOUT_TENSORFLOW

EPOCHS, SEEDS = 5, 3
SETTINGS = [f"--epochs={EPOCHS}", f"--seeds={SEEDS}", "--preset=quick"]
RESULTS = (
    "table1",
    "table2",
    "table3",
    "table4",
    "table6",
    "table7",
    "figure7",
    "figure8",
    "figure9",
    "figure10",
    "claims",
)
# Test errors at the end, by network and data set.
ERRORS = {
    (published.VI_ALEXNET, "mnist"): 0.010,
    (published.VI_ALEXNET, "cifar10"): 0.27,
    (published.ALEXNET, "mnist"): 0.011,
    (published.ALEXNET, "cifar10"): 0.26,
    (published.VI_LENET, "mnist"): 0.02,
    (published.VI_LENET, "cifar10"): 0.30,
    (published.LENET, "mnist"): 0.02,
    (published.LENET, "cifar10"): 0.31,
    (published.VI_HALF, "cifar10"): 0.21,
}


def rows(path):
    return list(csv.DictReader(path.read_text().splitlines()))


def error(network, dataset, seed):
    return ERRORS[network, dataset] + 0.0004 * seed


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Records of most networks; MNIST's AlexNetHalf, dropout and all of CIFAR-100 are missing. All reports."""
    directory = tmp_path_factory.mktemp("shridhar")
    study = ComparisonConfig.preset("quick", epochs=EPOCHS, seeds=SEEDS, output_dir=str(directory))
    for network, dataset in ERRORS:
        for seed, config in configs_of(study, Cell(network, dataset, NETWORKS[network])).items():
            final = error(network, dataset, seed)
            errors = falling(final, EPOCHS)
            if NETWORKS[network]["inference"] == "frequentist":
                errors[0] = 0.5
            write(config, errors, train_error=final / 2)
    for name in RESULTS:
        assert main_of(name)(["x", f"--output_dir={directory}", *SETTINGS, "--report_only"]) == 0
    return directory / "shridhar"


def main_of(name):
    return importlib.import_module(f"experiments.shridhar.{name}").main


def entry(path, row, column):
    (found,) = [line for line in rows(path) if (line["row"], line["column"]) == (row, column)]
    return found


def test_table1(written):
    found = entry(written / "table1" / "table1.csv", published.VI_ALEXNET, "MNIST")
    expected = [100 * (1 - error(published.VI_ALEXNET, "mnist", seed)) for seed in range(SEEDS)]
    assert float(found["mean"]) == pytest.approx(sum(expected) / 3) and found["n"] == "3"
    assert float(found["thesis"]) == 99
    assert entry(written / "table1" / "table1.csv", published.DROPOUT_LENET, "MNIST")["n"] == "0"
    text = (written / "table1" / "table1.md").read_text()
    assert "| Bayesian LeNet-5 (dropout) | not run | 99.5 | not run | 83 |" in text
    assert "| Bayesian LeNet-5 (VI) | 98.0 ± 0.1 (n = 3) | 98 | 70.0 ± 0.1 (n = 3) | 69 |" in text
    assert "we were not able to reproduce" in text and "Runs of 5 epochs, 1 draw in a training step" in text
    assert "tabular" in (written / "table1" / "table1.tex").read_text()
    states = {row["state"] for row in rows(written / "table1" / "runs.csv")}
    assert states == {"complete", "missing"} and len(rows(written / "table1" / "runs.csv")) == 30


def test_tables_of_what_was_not_run(written):
    for name in ("table2", "table3"):
        table = rows(written / name / f"{name}.csv")
        assert {row["n"] for row in table} == {"0"} and all(row["thesis"] for row in table)
        assert "| not run |" in (written / name / f"{name}.md").read_text()
    assert len(rows(written / "table3" / "table3.csv")) == 10


def test_table4_and_its_ratios(written):
    path = written / "table4" / "table4.csv"
    found = entry(path, "Bayesian LeNet-5 (VI), CIFAR-10", "aleatoric")
    assert float(found["mean"]) == pytest.approx(sum(error(published.VI_LENET, "cifar10", s) / 2 for s in range(3)) / 3)
    ratio = entry(path, "CIFAR-10 / MNIST", "epistemic")
    assert float(ratio["mean"]) == pytest.approx(
        sum(error(published.VI_LENET, "cifar10", s) / error(published.VI_LENET, "mnist", s) for s in range(3)) / 3
    )
    assert float(ratio["thesis"]) == 15.5 and entry(path, "CIFAR-10 / MNIST", "aleatoric")["thesis"] == "20.0"


def test_table6_and_7(written):
    path = written / "table6" / "table6.csv"
    assert float(entry(path, published.VI_HALF, "CIFAR-10")["mean"]) == pytest.approx(78.96)
    assert entry(path, published.VI_HALF, "CIFAR-100")["n"] == "0"
    path = written / "table7" / "table7.csv"
    assert (
        entry(path, published.VI_L1, "CIFAR-10")["thesis"] == "71" and entry(path, published.VI_L1, "MNIST")["n"] == "0"
    )


def test_figures(written):
    for name in ("figure7", "figure8", "figure9", "figure10"):
        assert (written / name / f"{name}.png").read_bytes()[:4] == b"\x89PNG"
        assert (written / name / "notes.md").read_text().startswith("# The thesis contradicts itself\n\n- ")
    curves = rows(written / "figure7" / "figure7.csv")
    assert len(curves) == 2 * 4 * SEEDS * EPOCHS
    first = next(row for row in curves if row["network"] == published.LENET)
    assert (first["epoch"], float(first["value"])) == ("1", 50.0)
    assert rows(written / "figure10" / "figure10.csv") == []
    sigmas = rows(written / "figure8" / "figure8.csv")
    assert len(sigmas) == SEEDS * 2 * 2 * EPOCHS and float(sigmas[1]["sigma"]) == pytest.approx(0.09)
    densities = rows(written / "figure9" / "figure9.csv")
    assert [row["epoch"] for row in densities] == ["1", "5"] * SEEDS and float(densities[1]["mu"]) == 0.46


def test_claims(written):
    verdicts = {row["claim"]: row for row in rows(written / "claims" / "claims.csv")}
    assert {name: row["verdict"] for name, row in verdicts.items()} == {
        "No loss of accuracy": "supported",
        "Half of the filters": "supported",
        "Twenty times": "supported",  # 15 times here, and about means from 10 to 40
        "Fifteen times": "supported",
        "Epistemic uncertainty falls": "undecided",  # three seeds decide no sign test
        "A low start": "supported",
        "Falling deviations": "supported",
        "Regularisation": "not supported",  # AlexNet on CIFAR-10
        "Pruning by L1": "undecided",
    }
    assert float(verdicts["Half of the filters"]["mean"]) == pytest.approx(6)
    assert float(verdicts["Half of the filters"]["thesis"]) == 6
    text = (written / "claims" / "claims.md").read_text()
    assert "27 of 30 runs are complete" in text and "the least covered estimate has 0 seeds; 3 are needed" in text


@pytest.mark.parametrize("name", ["table4", "claims", "figure9"])
def test_reports_need_no_tensorflow(written, name):
    before = {path.name: path.read_bytes() for path in (written / name).iterdir()}
    command = [sys.executable, "-W", "error", "-c", WITHOUT_TENSORFLOW, f"shridhar.{name}", "--report_only", *SETTINGS,
               f"--output_dir={written.parent}"]  # fmt: skip
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert ended.returncode == 0 and ended.stderr == "", ended.stderr
    assert {path.name: path.read_bytes() for path in (written / name).iterdir()} == before


@pytest.mark.parametrize("name", RESULTS)
def test_every_command_says_what_it_is(name, capsys):
    assert main_of(name)(["x", "--help"]) == 0
    text = capsys.readouterr().out
    assert f"python -m experiments.shridhar.{name}" in text and "Expected" in text and "Run time" in text


def test_mistakes_and_choices(tmp_path, capsys):
    main = main_of("table1")
    for argument in ("--models=vgg", "--datasets=imagenet", "--inferences=x", "--seeds=0", "--report_only=2"):
        assert main(["x", argument]) == 2
        assert f"{argument} is not valid: it takes" in capsys.readouterr().err
    assert main(["x", f"--output_dir={tmp_path}", "--model=lenet5", "--dataset=mnist", "--dry_run"]) == 0
    said = capsys.readouterr().out
    assert said.count("missing") == 9 and "0 of 9 runs are complete" in said and "alexnet" not in said


@pytest.mark.parametrize("name", ["table2", "figure7", "figure10"])
def test_a_choice_of_nothing_is_refused(name, tmp_path, capsys):
    assert main_of(name)(["x", f"--output_dir={tmp_path}", "--models=alexnet_half", "--report_only"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: --models=alexnet_half --inferences=all is not valid") and said.count("\n") == 1


def test_a_run_ends_where_patience_does_however_it_was_made(tmp_path):
    config = ComparisonConfig.preset("quick", epochs=6, dataset="digits", output_dir=str(tmp_path)).run_config()
    write(config, [0.4, 0.2, 0.3, 0.25, 0.1, 0.05])
    assert read(config).metrics["test_error"].tolist() == [0.4, 0.2, 0.3, 0.25, 0.1, 0.05]
    stopped = read(config.replace(patience=2))
    assert stopped.state == COMPLETE and stopped.metrics["test_error"].tolist() == [0.4, 0.2, 0.3, 0.25]
    assert read(config.replace(epochs=9)).why == "at epoch 6 of 9"


def test_a_correlation_that_is_none_is_not_counted(tmp_path):
    config = ComparisonConfig.preset("quick", epochs=2, dataset="digits", output_dir=str(tmp_path)).run_config()
    write(config, [0.4, 0.2])
    assert epistemic_correlation(read(config)) is None
    other = config.replace(epochs=4, seed=1)
    write(other, [0.4, 0.3, 0.2, 0.1], epistemic=[0.1, 0.2, 0.3, 0.4])
    assert epistemic_correlation(read(other)) == pytest.approx(1.0)


def pruned(row_path, directory, accuracy, **facts):
    """The record of a pruning, written by hand; its directory."""
    book = pruning.book_of(pruning.PruningConfig(record=str(row_path), output_dir=str(directory)))
    stages = [{"score": score, "stage": "fine-tuned", "sparsity": 0.5, "test_accuracy": accuracy}
              for score in ("magnitude", "snr")]  # fmt: skip
    book.make(lambda config: {"stages.csv": (STAGES, stages)}, **facts)
    return book.path


def test_only_prunings_of_the_tables_network_count(tmp_path, capsys):
    study = ComparisonConfig.preset("quick", epochs=EPOCHS, seeds=SEEDS, output_dir=str(tmp_path))
    configs = configs_of(study, Cell(published.VI_ALEXNET, "mnist", NETWORKS[published.VI_ALEXNET]))
    runs = [write(config, falling(0.01, EPOCHS)) for config in configs.values()]
    pruned(runs[0], tmp_path, 98.0, source="first", metrics_sha256=metrics_sha256(runs[0]))
    pruned(runs[1], tmp_path, 97.0, source="first", metrics_sha256="of another run")
    damaged = pruned(runs[2], tmp_path, 96.0, source="first", metrics_sha256=metrics_sha256(runs[2])) / "stages.csv"
    damaged.write_bytes(damaged.read_bytes()[:-9])
    command = ["x", f"--output_dir={tmp_path}", *SETTINGS, "--report_only", "--datasets=mnist"]
    path = tmp_path / "shridhar" / "table7" / "table7.csv"

    def values():
        assert main_of("table7")(command) == 0
        return entry(path, published.VI_L1, "MNIST")["values"]

    assert values() == "0:98"
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 2 and said[0].startswith("left out: pruning, mnist, seed 1: it is of another state")
    assert said[1].startswith("left out: pruning, mnist, seed 2: ") and "stages.csv is damaged" in said[1]

    command[1:] = [command[1], f"--epochs={EPOCHS - 1}", *command[3:]]  # the records go on behind the table's last row
    assert values() == "" and "not of epoch 4" in capsys.readouterr().err
    assert main_of("claims")(command) == 0


def test_a_pruning_of_an_earlier_checkpoint_does_not_count(tmp_path):
    study = ComparisonConfig.preset("quick", epochs=EPOCHS, seeds=1, output_dir=str(tmp_path))
    (config,) = configs_of(study, Cell(published.VI_ALEXNET, "mnist", NETWORKS[published.VI_ALEXNET])).values()
    row = Row(config, write(config, falling(0.01, EPOCHS)), "complete", "", None)
    row = dataclasses.replace(row, run=load_tables(row.path))
    (row.path / "checkpoint").mkdir()
    (row.path / "checkpoint" / "000005.npz").write_bytes(b"")
    (row.path / "checkpoint" / "latest").write_text('{"file": "000005.npz", "sha256": "now"}')
    book = pruning.book_of(pruning.PruningConfig(record=str(row.path), output_dir=str(tmp_path)))
    for source, words in (("before", "another state"), ("now", "")):
        pruned(row.path, tmp_path, 98.0, source=source, metrics_sha256=metrics_sha256(row.path))
        assert words in table7.mismatch(book, row) and bool(words) == bool(table7.mismatch(book, row))
