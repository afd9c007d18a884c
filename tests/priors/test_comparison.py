"""The rounds of NUTS, with a sampler that is known, and the records of the comparison."""

import numpy as np
import pytest

from experiments import nuts_comparison
from experiments.errors import RecordError, RecordInUse, UserError
from experiments.nuts_comparison import NutsComparisonConfig
from experiments.priors import comparison, conclusions, judge
from experiments.priors.config import PriorStudyConfig
from experiments.priors.joint import NUM_WEIGHTS, SHAPES, ToyModel
from experiments.priors.judge import Chains
from experiments.priors.results import LAYERS
from experiments.priors.toy import grid_points, make_split
from experiments.records import arrays
from experiments.records.lock import RecordLock


class KnownSampler:
    """A first round far away, and then independent draws of one distribution."""

    def __init__(self):
        self.rounds = []

    def __call__(self, x, y, scale, starts, seed):
        random = np.random.default_rng(len(self.rounds))
        positions = 0.3 * random.normal(size=(400, 4, NUM_WEIGHTS))
        if not self.rounds:
            positions[..., -1] += np.arange(4)  # the bias of class 1: each chain has probabilities of its own
        self.rounds.append(positions.astype(np.float32))
        return Chains(self.rounds[-1], 0.0, 7.0)


def test_rounds_are_added_until_the_later_half_agrees():
    config = NutsComparisonConfig(rounds=9, max_rhat=1.05)
    comparer, told = comparison.Comparer(config, ("normal", "fixed"), lambda *state: told.append(state)), []
    comparer._nuts = KnownSampler()
    split = make_split("moons", config.noise, config.seed, 0)
    model = ToyModel(split.x, split.y, "normal", "fixed")
    kept, numbers = comparer._sample("moons", model, split, 1.0, grid_points("moons"))
    assert [state[1] for state in told] == [1, 2] and told[0][2] > 1.5 > numbers["rhat"]
    assert numbers["rounds"] == len(comparer._nuts.rounds) == 2  # not the most that are allowed
    np.testing.assert_array_equal(kept, comparer._nuts.rounds[1])  # nothing of the warm-up
    assert numbers["effective_draws"] > 800 and numbers["leapfrogs"] == 7.0


def test_a_record_of_another_protocol_or_a_damaged_one_is_refused(tmp_path):
    config = NutsComparisonConfig(output_dir=str(tmp_path))
    cell = ("normal", "fixed")
    assert comparison.read(config, "moons", cell) is None
    path = comparison.record_path(config, "moons", cell)
    head = {"protocol": config.protocol, "nuts_protocol": config.nuts_protocol}
    arrays.write(path, head, {"a": np.arange(3)})
    assert comparison.read(config, "moons", cell)[1]["a"].tolist() == [0, 1, 2]
    for name, other in (("nuts_protocol", {"draws": 7}), ("protocol", {"noise": 0.1})):
        arrays.write(path, {**head, name: {**head[name], **other}}, {})
        with pytest.raises(RecordError, match="another protocol"):
            comparison.read(config, "moons", cell)
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(RecordError, match="is damaged"):
        comparison.read(config, "moons", cell)


def record(config, dataset, cell, rhat=1.005, distance=0.01, ratio=1.0, draws=1000.0):
    """Records a comparison in which mean-field is so far from NUTS."""
    head = {"protocol": config.protocol, "nuts_protocol": config.nuts_protocol, "rhat": rhat}
    values = {"nuts_mean": np.full(9, 0.5), "nuts_stddev": np.full(9, 0.2)}
    values |= {"mean_field_mean": np.full(9, 0.5 + distance), "mean_field_stddev": np.full(9, 0.2 * ratio)}
    path = comparison.record_path(config, dataset, cell)
    arrays.write(path, {**head, "effective_draws": draws}, values)


def test_the_first_conclusion_is_of_converged_chains_with_the_studys_own_protocol(tmp_path):
    study = PriorStudyConfig(output_dir=str(tmp_path), noise=0.1, datasets="circles", priors="cauchy,flat")
    verdict, cells = (lambda: conclusions._approximation(study)), study.cells[:-1]
    header = "dataset,prior,hyperprior,method,mean_distance,stddev_ratio,rhat\n"
    (tmp_path / "nuts_comparison").mkdir()
    (tmp_path / "nuts_comparison" / "distances.csv").write_text(header + "moons,normal,fixed,mean_field,0.01,1.0,1.9\n")
    nuts = NutsComparisonConfig(output_dir=str(tmp_path), noise=0.1)
    record(nuts.replace(noise=0.35), "circles", cells[0])
    record(nuts.replace(seed=1), "circles", cells[0])
    record(nuts, "moons", cells[0])
    record(nuts, "circles", ("normal", "fixed"))
    for place, rhat in enumerate((1.9, 1.01, float("nan"))):
        record(nuts, "circles", cells[place], rhat=rhat)
    word, sentence = verdict()
    assert word == "undecided" and sentence.startswith("No comparison with the exact posterior")
    assert "0 of 4 cells with a proper prior (R-hat below 1.01)" in sentence
    for cell in cells[:3]:
        record(nuts, "circles", cell)
    word, sentence = verdict()
    assert word == "undecided" and "good in 3 of 3 cells" in sentence and "Compared were 3 of 4 cells" in sentence
    record(nuts, "circles", cells[3])
    assert verdict()[0] == "supported"
    other = nuts.replace(draws=50, max_rhat=1.9)  # another sampler of the same posterior
    record(other, "circles", cells[3], draws=900.0, ratio=0.5)
    assert verdict()[0] == "supported"
    record(other, "circles", cells[3], draws=1100.0, ratio=0.5)
    assert verdict()[0] == "undecided" and "0.50 to 1.00" in verdict()[1]
    for cell in cells[:2]:
        record(nuts, "circles", cell, ratio=0.7)
    assert verdict()[0] == "not supported"


def test_a_second_process_is_told_what_is_in_use(tmp_path, capsys):
    config = NutsComparisonConfig(output_dir=str(tmp_path))
    config.nuts_records.mkdir(parents=True)
    with RecordLock(config.nuts_records):
        assert nuts_comparison.main(["nuts_comparison", f"--output_dir={tmp_path}"]) == 1
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line.startswith(f"error: the record {config.nuts_records} is in use by process ")
    comparer = comparison.Comparer(config, ("normal", "fixed"))
    with RecordLock(config.records), pytest.raises(RecordInUse):  # a prior study makes that record, perhaps
        comparer.make("moons")


def test_a_full_rank_fit_that_diverges_names_its_setting(monkeypatch):
    study = {}
    for layer, (fan_in, units) in zip(LAYERS, SHAPES, strict=True):
        for kind in ("loc", "untransformed_scale"):
            study[f"weight/{layer}/kernel_posterior_{kind}"] = np.zeros([fan_in, units], np.float32)
            study[f"weight/{layer}/bias_posterior_{kind}"] = np.zeros(units, np.float32)
    monkeypatch.setattr(judge, "full_rank", lambda model, start, *_: (start[None], np.nan))
    comparer = comparison.Comparer(NutsComparisonConfig(full_rank_rate=0.5), ("normal", "fixed"))
    model = ToyModel(np.zeros([1, 2]), [0], "normal", "fixed")
    with pytest.raises(UserError, match=r"its ELBO is nan; try a smaller --full_rank_rate \(now 0.5\)"):
        comparer._full_rank(model, grid_points("moons"), study)
