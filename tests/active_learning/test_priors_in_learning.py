"""Priors in active learning: by the real entry point, in every network."""

import csv

import pytest

from bayes_layers import build_network
from bayes_layers.config import NetworkSettings
from bayes_layers.layers.randomness import make_seed
from bayes_layers.models.architectures import NETWORKS
from experiments import al_mnist
from tests.conftest import TINY, the_record


def test_a_run_with_a_hyperprior(tmp_path, capsys):
    arguments = [*TINY, "--arch=BNN-1", "--max_labels=15", "--prior=cauchy", "--hyperprior=half_cauchy"]
    arguments += ["--variational_bias", f"--output_dir={tmp_path}"]
    for word in ("done", "already complete"):
        assert al_mnist.main(["al_mnist", *arguments]) == 0
        assert word in capsys.readouterr().out
    record = the_record(tmp_path)
    for part in ("prior=cauchy", "hyperprior=half_cauchy", "variational_bias=true"):
        assert part in record.parent.name.split(",")
    rows = list(csv.DictReader((record / "posterior.csv").read_text().splitlines()))
    assert all(float(row["kl"]) > 0 for row in rows)


def test_a_flat_prior_says_that_it_is_improper(tmp_path, capsys):
    arguments = [*TINY, "--arch=BNN-1", "--max_labels=10", "--prior=flat", "--epochs=1", f"--output_dir={tmp_path}"]
    assert al_mnist.main(["al_mnist", *arguments]) == 0
    assert "a flat prior is improper" in capsys.readouterr().err


@pytest.mark.parametrize("arch", NETWORKS)
def test_every_network_takes_every_prior(arch):
    settings = NetworkSettings(arch=arch, prior="laplace", hyperprior="inverse_gamma", variational_bias=True)
    network = build_network(settings, (28, 28, 1))
    assert all(layer.prior.name == "laplace" and layer.scale_posterior for layer in network.bayesian_layers)
    assert len(network.initial_values(make_seed(0))) == len(network.trainable_weights)
