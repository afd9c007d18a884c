"""Active learning on MNIST with Bayesian layers: one cell of Zeng et al. 2018's Tables 2 and 3.

Source: Zeng, Lesnikowski & Alvarez 2018, "The Relevance of Bayesian Layer Positioning to Model Uncertainty
in Deep Bayesian Active Learning", section 3; the defaults are its protocol.

Command: python -m experiments.al_mnist --arch=BNN-2 --mu_init=-5

Expected: the paper reports a test error of 2.69 % at 1,000 labels for BNN-2 with variation ratios at its
best mu_init (Table 3; mean of 3 runs). Run time: about 80 minutes on
two CPU cores (reckoned from docs/benchmarks.md).

The same command resumes an interrupted run, and says so when there is nothing left to do. Results are in
<output_dir>/al_mnist/<dataset>/<arch>/<acquisition>/mu<mu_init>[,<setting>=<value>...]/seed<seed>/.
"""

import sys

from experiments import datasets, entry
from experiments.active_learning.config import GROUPS, PRESETS, ActiveLearningConfig

DESCRIPTION = """\
Active learning on MNIST with Bayesian layers (Zeng, Lesnikowski & Alvarez 2018).

  python -m experiments.al_mnist --arch=BNN-2 --mu_init=-5        the paper's protocol on MNIST
  python -m experiments.al_mnist --dataset=digits --preset=quick  minutes on a CPU, no download

Trains on the labelled images, scores the pool by an acquisition function, labels the best images, and
begins anew, until --max_labels. Interrupted, the same command goes on where it stopped. Each run leaves
a record (tables, checkpoint, TensorBoard events, pictures) under --output_dir.
Settings are given as --name=value; values below are the defaults."""


def work(config):
    """Runs one active-learning run to its end, whatever part of it is done already.

    Args:
      config: an `ActiveLearningConfig`.

    Raises:
      UserError: for whatever a user can mend.
    """
    from experiments.active_learning.loop import check_budget, prepare_directory, run

    dataset_name = datasets.resolve(config.dataset, config.data_dir, download=not config.dry_run)
    check_budget(config, dataset_name)
    if config.dry_run:
        entry.start_tensorflow()
        from experiments.active_learning.dry_run import describe

        print(describe(config, dataset_name))
        return

    if config.replicas > 1:
        _side_by_side(config, dataset_name)
        return
    path = prepare_directory(config, dataset_name)
    if _is_done(config, path):
        return
    print(f"record: {path}", file=sys.stderr, flush=True)
    _tell_if_improper(config)
    entry.start_tensorflow()
    from experiments.active_learning.watch import Watch

    watch = Watch(config)
    try:
        finished = run(config, lambda: datasets.load(dataset_name, config.data_dir), path, watch)
    finally:
        watch.close()
    _finish("done", finished)


def _side_by_side(config, dataset_name):
    """`work` for several seeds at once."""
    from experiments.active_learning.loop import prepare_directory

    configs = [config.replace(seed=config.seed + place) for place in range(config.replicas)]
    paths = [prepare_directory(one, dataset_name) for one in configs]
    configs = [None if _is_done(one, path) else one for one, path in zip(configs, paths, strict=True)]
    if not any(configs):
        return
    print(f"records: {paths[0]} to {paths[-1].name}", file=sys.stderr, flush=True)
    _tell_if_improper(config)
    entry.start_tensorflow()
    from experiments.active_learning.side_by_side import run_side_by_side
    from experiments.active_learning.watch import Watch

    dataset = datasets.load(dataset_name, config.data_dir)
    watches = [one and Watch(one, position=place) for place, one in enumerate(configs)]
    try:
        finished = run_side_by_side(configs, dataset, paths, watches)
    finally:
        for watch in filter(None, watches):
            watch.close()
    for one in filter(None, finished):
        _finish("done", one)


def _tell_if_improper(config):
    if config.prior == "flat":
        print(
            "note: a flat prior is improper. The KL columns are minus the posterior's entropy, the bound has no "
            "maximum, and training stops after --epochs",
            file=sys.stderr,
            flush=True,
        )


def _is_done(config, path):
    """Whether the record is complete; then says so."""
    from experiments.active_learning.loop import is_complete

    if not is_complete(config, path):
        return False
    from experiments.records.load import load_either

    _finish("already complete", load_either(path))
    return True


def _finish(word, finished):
    metrics = finished.tables["metrics"]
    settings = finished.config["settings"]
    error = f"{100 * metrics['test_error'][-1]:.2f} % test error"
    if not metrics["test_error"][-1] >= 0:
        error = "test error not evaluated (--test_every)"
    picture = finished.path / "learning_curve.png"
    where = picture if picture.exists() else f"{finished.path}, which was kept without its weights and pictures"
    print(
        f"{word}: {settings['arch']}, {settings['acquisition']}, mu_init={settings['mu_init']:g}{_seed_text(settings)} "
        f"on {finished.config['dataset']['name']}: {error} at "
        f"{metrics['labels'][-1]:.0f} labels; see {where}"
    )


def _seed_text(settings):
    return f", seed {settings['seed']}" if settings["replicas"] > 1 else ""


main = entry.point(work, ActiveLearningConfig, description=DESCRIPTION, groups=GROUPS, presets=PRESETS)


if __name__ == "__main__":
    sys.exit(main())
