"""Priors and hyperpriors: divergences against numerical integration, their gradients and direction; life in layers."""

import itertools
import math

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
from scipy import integrate, stats

from bayes_layers import ElboTrainer, Network, load_network, posterior_as_prior
from bayes_layers.layers import (
    Convolution2DFlipout,
    Convolution2DLocalReparameterization,
    DenseFlipout,
    DenseLocalReparameterization,
)
from bayes_layers.layers.divergences import LogNormalScale, mean_absolute
from bayes_layers.layers.hyperpriors import make_hyperprior
from bayes_layers.layers.priors import PosteriorPrior, make_prior
from bayes_layers.layers.randomness import make_seed

tfd = tfp.distributions
FAMILIES = {"normal": stats.norm, "laplace": stats.laplace, "cauchy": stats.cauchy}
DENSITIES = {
    "half_normal": lambda b: stats.halfnorm(scale=b),
    "half_cauchy": lambda b: stats.halfcauchy(scale=b),
    "inverse_gamma": lambda b: stats.invgamma(1.0, scale=b),
}
POINTS = ((0.7, 0.4, 1.5), (-2.0, 0.1, 0.5), (0.0, 1.3, 1.0))  # mean and deviation of q, scale of p


def integrated(function, loc, stddev):
    """E f(z) for z ~ N(loc, stddev^2) by adaptive quadrature."""
    q = stats.norm(loc, stddev)
    value, error = integrate.quad(
        lambda z: q.pdf(z) * function(z), loc - 12 * stddev, loc + 12 * stddev, limit=400, points=[loc]
    )
    assert error < 1e-6
    return value


def integrated_kl(loc, stddev, log_density):
    return integrated(lambda w: stats.norm.logpdf(w, loc, stddev) - log_density(w), loc, stddev)


def gradients(function, *values, step=1e-4):
    """Central differences of a function of floats."""
    values = np.array(values, float)
    return [
        (function(*(values + step * unit)) - function(*(values - step * unit))) / (2 * step)
        for unit in np.eye(len(values))
    ]


def kl_and_gradients(function, *values):
    variables = [tf.Variable(float(value)) for value in values]
    with tf.GradientTape() as tape:
        kl = function(*variables)
    return float(kl), [float(g) for g in tape.gradient(kl, variables)]


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("loc, stddev, scale", POINTS)
def test_kl_is_the_integral_and_so_are_its_gradients(name, loc, stddev, scale):
    """A layer of 40,000 equal weights makes the Monte-Carlo mean of the Cauchy prior as good as an integral."""
    weights = 40_000 if name == "cauchy" else 1
    prior = make_prior(name, scale)

    def kl(loc, stddev):
        return prior.kl([(tf.fill([weights], loc), tf.fill([weights], stddev))], seed=make_seed(3)) / weights

    def expected(loc, stddev):
        return integrated_kl(loc, stddev, lambda w: FAMILIES[name].logpdf(w, scale=scale))

    value, by = kl_and_gradients(kl, loc, stddev)
    tolerance = 8e-3 if name == "cauchy" else 1e-4
    assert value == pytest.approx(expected(loc, stddev), abs=tolerance, rel=1e-3)
    np.testing.assert_allclose(by, gradients(expected, loc, stddev), atol=3 * tolerance, rtol=1e-3)
    if name != "cauchy":  # the other direction is another number (for the Cauchy it is infinite)
        density = FAMILIES[name](scale=scale)
        q = stats.norm(loc, stddev)
        reverse = integrate.quad(lambda w: density.pdf(w) * (density.logpdf(w) - q.logpdf(w)), -60, 60, limit=400)[0]
        assert abs(reverse / value - 1) > 0.05


@pytest.mark.parametrize("name", DENSITIES)
@pytest.mark.parametrize("loc, stddev, scale", POINTS)
def test_the_kl_of_a_scale_has_its_jacobian(name, loc, stddev, scale):
    """Against the integral over s itself, where no Jacobian occurs: q(s) is log-Normal."""
    hyperprior = make_hyperprior(name, scale)

    def expected(loc, stddev):
        q, p = stats.lognorm(stddev, scale=math.exp(loc)), DENSITIES[name](scale)
        ends = [math.exp(loc + k * stddev) for k in (-9, -4, -2, 0, 2, 4, 9)]
        parts = itertools.pairwise(ends)
        integrand = lambda s: q.pdf(s) * (q.logpdf(s) - p.logpdf(s))  # noqa: E731
        return sum(integrate.quad(integrand, a, b, limit=200, epsabs=1e-11)[0] for a, b in parts)

    value, by = kl_and_gradients(lambda m, c: hyperprior.kl(LogNormalScale(m, c)), loc, stddev)
    assert value == pytest.approx(expected(loc, stddev), abs=2e-4, rel=1e-4)
    np.testing.assert_allclose(by, gradients(expected, loc, stddev, step=1e-3), atol=2e-3, rtol=2e-3)
    tfp_density = hyperprior.distribution().log_prob([0.3, 2.0])
    np.testing.assert_allclose(tfp_density, DENSITIES[name](scale).logpdf([0.3, 2.0]), rtol=1e-5)
    given = make_hyperprior(hyperprior.distribution())
    np.testing.assert_allclose(given.kl(LogNormalScale(loc, stddev)), value, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", FAMILIES)
def test_kl_under_a_hyperprior_is_the_double_integral(name):
    loc, stddev, scale_loc, scale_stddev = 0.8, 0.5, -0.3, 0.4
    weights = 40_000 if name == "cauchy" else 1
    prior = make_prior(name, hyperprior="half_normal", samples=200 if name == "cauchy" else 1)
    posterior = [(tf.fill([weights], loc), tf.fill([weights], stddev))]
    scale = LogNormalScale(scale_loc, scale_stddev)
    own = float(prior.hyperprior.kl(scale))
    value = (float(prior.kl(posterior, scale, make_seed(1))) - own) / weights
    nodes, masses = np.polynomial.hermite_e.hermegauss(40)
    masses = masses / masses.sum()
    expected = 0.0
    for node, mass in zip(nodes, masses, strict=True):
        if mass > 1e-12:
            density = FAMILIES[name](scale=math.exp(scale_loc + scale_stddev * node))
            expected += mass * integrated_kl(loc, stddev, density.logpdf)
    assert value == pytest.approx(expected, abs=0.05 if name == "cauchy" else 1e-4)


def test_a_flat_prior_costs_minus_the_entropy():
    layer = DenseFlipout(3, prior="flat")
    layer.build((None, 2))
    expected = -sum(stats.norm(0, s).entropy() for s in layer.kernel_scale.numpy().ravel())
    assert float(layer.kl()) == pytest.approx(expected, rel=1e-5)
    assert not layer.prior.is_proper and make_prior("cauchy").is_proper
    with pytest.raises(ValueError, match="takes no hyperprior"):
        DenseFlipout(3, prior="flat", hyperprior="half_normal")


def test_mean_absolute_is_the_folded_normals_however_narrow():
    loc, stddev = tf.constant([0.3, -0.3, 1.0, 0.0]), tf.constant([0.5, 0.5, 1e-20, 2e-38])
    with tf.GradientTape() as tape:
        tape.watch([loc, stddev])
        value = mean_absolute(loc, stddev)
    by_loc, by_stddev = tape.gradient(value, [loc, stddev])
    folded = [stats.foldnorm(abs(m) / s, scale=s).mean() for m, s in ((0.3, 0.5), (-0.3, 0.5))]
    np.testing.assert_allclose(value, [*folded, 1.0, 0.0], rtol=1e-5, atol=1e-30)
    assert np.all(np.isfinite(by_loc)) and np.all(np.isfinite(by_stddev))
    np.testing.assert_allclose(by_loc[1:3], [-by_loc[0], 1.0], rtol=1e-6)


def test_the_default_prior_is_what_it_was():
    """N(0, 1), by TFP's closed form, in the same bits."""
    layer = DenseFlipout(4)
    layer.build((None, 3))
    standard = tfd.Independent(tfd.Normal(tf.zeros([3, 4]), tf.ones([])), 2)
    assert float(layer.kl()) == float(tfd.kl_divergence(layer.kernel_posterior, standard))
    layer.kl()
    assert int(layer._own_calls) == 0  # no seed was taken for it


@pytest.mark.parametrize("prior", [tfd.StudentT(3.0, 0.0, 1.0), tfd.Normal(0.5, 2.0), tfd.Logistic(0.0, 1.0)])
def test_any_distribution_in_one_line(prior):
    """By TFP's KL where there is one, else by draws; against the integral for two of the weights."""
    layer = DenseFlipout(4, prior=prior, kl_samples=2000)
    layer(tf.zeros([1, 3]))
    assert len(layer.losses) == 1
    two = [tf.reshape(part, [-1])[:2] for part in (layer.kernel_loc, layer.kernel_scale)]
    expected = sum(
        integrated_kl(*map(float, pair), lambda w: float(prior.log_prob(np.float32(w))))
        for pair in zip(*two, strict=True)
    )
    assert float(layer.prior.kl([two], seed=make_seed(0))) == pytest.approx(expected, abs=0.02)
    again = DenseFlipout.from_config(layer.get_config())
    again.build((None, 3))
    assert type(again.kernel_prior.distribution) is type(layer.kernel_prior.distribution)


def test_a_distribution_may_differ_from_unit_to_unit():
    layer = DenseFlipout(2, prior=tfd.Normal(0.0, [0.5, 2.0]))
    layer.build((None, 3))
    apart = [
        tfd.kl_divergence(tfd.Normal(m, s), tfd.Normal(0.0, p))
        for m, s, p in zip(
            tf.unstack(tf.convert_to_tensor(layer.kernel_loc), axis=1),
            tf.unstack(layer.kernel_scale, axis=1),
            (0.5, 2.0),
            strict=True,
        )
    ]
    np.testing.assert_allclose(layer.kl(), np.sum(apart), rtol=1e-5)


def test_a_family_takes_a_hyperprior():
    layer = DenseFlipout(4, prior=lambda s: tfd.Normal(0.0, s), hyperprior="half_cauchy", kl_samples=4000)
    named = DenseFlipout(4, prior="normal", hyperprior="half_cauchy")
    for each in (layer, named):
        each.build((None, 3))
    for weight, other in zip(layer.trainable_weights, named.trainable_weights, strict=True):
        weight.assign(other)
    assert float(layer.kl(make_seed(1))) == pytest.approx(float(named.kl()), abs=0.3)
    with pytest.raises(NotImplementedError, match="cannot be saved"):
        layer.get_config()


def test_what_is_no_prior_is_refused():
    for prior in (tfd.HalfNormal(1.0), tfd.MultivariateNormalDiag(tf.zeros(2)), "norma", 3):
        with pytest.raises(ValueError, match="prior"):
            DenseFlipout(4, prior=prior)
    for arguments in (
        {"prior_scale": 0.0},
        {"hyperprior": "half"},
        {"prior": tfd.Normal(0.0, 1.0), "hyperprior": "half_normal"},
    ):
        with pytest.raises(ValueError, match=r"prior.* is not valid|hyperprior needs"):
            DenseFlipout(4, **arguments)
    with pytest.raises(ValueError, match="not both"):
        DenseFlipout(4, prior="laplace", kernel_prior_fn=lambda *_: None)
    with pytest.raises(ValueError, match="broadcast"):
        DenseFlipout(4, prior=tfd.Normal(tf.zeros(5), 1.0)).build((None, 3))
    with pytest.raises(ValueError, match="needs a seed"):
        make_prior("cauchy").kl([(tf.zeros(1), tf.ones(1))])


@pytest.mark.parametrize(
    "kind", [DenseFlipout, DenseLocalReparameterization, Convolution2DFlipout, Convolution2DLocalReparameterization]
)
def test_every_layer_learns_weights_and_scale(kind):
    """Same seed same bits; the scale has gradients, its own initial values, and a bias counts."""
    arguments = (3, 2) if "Convolution" in kind.__name__ else (3,)
    layer = kind(*arguments, prior="cauchy", hyperprior="half_cauchy", prior_scale=2.0, variational_bias=True)
    x = tf.ones([2, 4, 4, 2]) if len(arguments) == 2 else tf.ones([2, 5])
    layer.build(x.shape)
    assert [w.name.split("/")[-1] for w in layer.trainable_weights[-2:]] == [
        "prior_log_scale_loc:0",
        "prior_log_scale_rho:0",
    ]
    one, same, other = (float(layer.kl(make_seed(k))) for k in (1, 1, 2))
    assert one == same and one != other
    with tf.GradientTape() as tape:
        loss = layer.kl(make_seed(1)) + tf.reduce_sum(layer(x, seed=make_seed(2)) ** 2)
    assert all(np.abs(g).max() > 0 for g in tape.gradient(loss, layer.trainable_weights))
    first, again = (layer.initial_values(make_seed(k)) for k in (5, 5))
    assert abs(float(first[-2]) - math.log(2.0)) < 0.6 and abs(float(first[-1]) + 2.0) < 0.6
    for a, b in zip(first, again, strict=True):
        np.testing.assert_array_equal(a, b)
    fixed = kind(*arguments, variational_bias=True)
    fixed.build(x.shape)
    for a, b in zip(fixed.initial_values(make_seed(5)), first, strict=False):
        np.testing.assert_array_equal(a, b)  # a prior changes no other initial value
    layer(x)
    assert len(layer.losses) == 1


@pytest.mark.parametrize("name", ["normal", "laplace"])
def test_a_hyperprior_learns_the_scale_of_known_weights(name):
    """With weights that are known (a narrow posterior around draws of scale 3), their scale is found, and how well.

    The posterior of log s is then as wide as Fisher's information says: 1 / sqrt(2 n) and 1 / sqrt(n).
    """
    n = 2000
    draws = FAMILIES[name].rvs(scale=3.0, size=n, random_state=0).astype(np.float32)
    prior = make_prior(name, hyperprior="half_cauchy")

    def kl(z):
        return prior.kl([(draws, tf.fill([n], 1e-2))], LogNormalScale(z[0], tf.exp(z[1])))

    found = tfp.optimizer.bfgs_minimize(
        lambda z: tfp.math.value_and_gradient(kl, z), initial_position=tf.constant([0.0, -2.0]), tolerance=1e-3
    )
    loc, log_stddev = found.position.numpy()
    assert abs(math.exp(loc) / 3 - 1) < 0.05
    assert math.exp(log_stddev) == pytest.approx(1 / math.sqrt({"normal": 2 * n, "laplace": n}[name]), rel=0.02)


def test_a_trained_posterior_is_the_next_prior(tmp_path):
    """Means and deviations become the prior, which is saved; the KL to it is zero at the start."""
    make = {"variational_bias": True, "mu_init": -1.0}
    network = Network([DenseFlipout(3, activation="tanh", name="A", **make), DenseFlipout(2, name="B")], (4,))
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(16, 4)), rng.integers(0, 2, 16)
    network.assign(network.initial_values(make_seed(0)))
    ElboTrainer(network, batch_size=16).fit(x, y, epochs=3, kl_weight=1 / 16, seed=0)
    following = posterior_as_prior(network)
    assert abs(float(following.kl())) < 1e-5
    ElboTrainer(following, batch_size=16).fit(x, y, epochs=10, kl_weight=1 / 16, seed=1)
    expected = 0.0
    for old, new in zip(network.stack, following.stack, strict=True):
        for name, (loc, stddev) in new.normal_posteriors().items():
            p = tfd.Normal(*(tf.convert_to_tensor(part) for part in old.normal_posteriors()[name]))
            expected += float(tf.reduce_sum(tfd.kl_divergence(tfd.Normal(loc, stddev), p)))
    assert expected > 1e-3 and float(following.kl()) == pytest.approx(expected, rel=1e-4)
    following.save(tmp_path / "network.npz")
    loaded = load_network(tmp_path / "network.npz")
    assert float(loaded.kl()) == float(following.kl())
    wrong = DenseFlipout(5, prior=PosteriorPrior(network.stack[0]))
    with pytest.raises(ValueError, match="to be a prior has a kernel"):
        wrong.build((None, 4))


def test_a_network_saves_its_priors(tmp_path):
    for prior in ({"prior": "laplace", "hyperprior": "inverse_gamma"}, {"prior": tfd.StudentT(4.0, 0.0, 0.5)}):
        network = Network([DenseFlipout(2, name="A", **prior)], (3,))
        network.save(tmp_path / "network.npz")
        loaded = load_network(tmp_path / "network.npz")
        assert float(loaded.kl(make_seed(1))) == float(network.kl(make_seed(1)))
    network = Network([DenseFlipout(2, prior=lambda s: tfd.StudentT(4.0, 0.0, s))], (3,))
    with pytest.raises(NotImplementedError, match="cannot be saved"):
        network.save(tmp_path / "refused.npz")
    assert not (tmp_path / "refused.npz").exists()


def test_training_takes_a_seed_for_the_kl():
    """Two trainings of a Cauchy prior with one seed agree to the bit, with another they do not."""

    def fit(seed):
        layers = [DenseFlipout(3, name="A", prior="cauchy", hyperprior="half_normal"), DenseFlipout(2, name="B")]
        network = Network(layers, (4,))
        network.assign(network.initial_values(make_seed(0)))
        rng = np.random.default_rng(0)
        trainer = ElboTrainer(network, batch_size=8)
        trainer.fit(rng.normal(size=(16, 4)), np.arange(16) % 2, epochs=4, kl_weight=0.1, seed=seed)
        return np.concatenate([weight.numpy().ravel() for weight in network.trainable_weights])

    one = fit(1)
    np.testing.assert_array_equal(one, fit(1))
    assert np.abs(one - fit(2)).max() > 0


def test_the_number_of_draws_is_checked():
    with pytest.raises(ValueError, match="kl_samples=0 is not valid"):
        DenseFlipout(3, prior="cauchy", kl_samples=0)
