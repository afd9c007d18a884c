"""The rounds of NUTS, with a sampler that is known, and the records of the comparison."""

import numpy as np
import pytest

from experiments.errors import RecordError
from experiments.nuts_comparison import NutsComparisonConfig
from experiments.priors import comparison
from experiments.priors.joint import NUM_WEIGHTS, ToyModel
from experiments.priors.judge import Chains
from experiments.priors.toy import grid_points, make_split
from experiments.records import arrays


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
    arrays.write(path, {"nuts_protocol": config.nuts_protocol}, {"a": np.arange(3)})
    assert comparison.read(config, "moons", cell)[1]["a"].tolist() == [0, 1, 2]
    arrays.write(path, {"nuts_protocol": {**config.nuts_protocol, "draws": 7}}, {})
    with pytest.raises(RecordError, match="another protocol"):
        comparison.read(config, "moons", cell)
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(RecordError, match="is damaged"):
        comparison.read(config, "moons", cell)
