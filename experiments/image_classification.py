"""Image classification by Bayesian and other CNNs: one run behind Tables 1 to 6 of Shridhar's thesis.

Source: Shridhar 2019, a thesis on Bayesian convolutional neural networks, sections 4 and 5; the
defaults are the setting of its appendix (`experiments.classification.config` says what that leaves open).

Command: python -m experiments.image_classification --dataset=mnist --model=lenet5 --preset=quick

Expected: the thesis reports 98 % accuracy on MNIST and 69 % on CIFAR-10 for LeNet-5 by variational inference (Table 1);
uncertainty-baselines reports 98.5 %, NLL 0.048 and ECE 0.010 for its own variational LeNet-5 on MNIST.

The same command resumes an interrupted run, and says so when there is nothing left to do. Results are in
<output_dir>/image_classification/<dataset>/<model>/<inference>[,<setting>=<value>...]/seed<seed>/.
"""

import sys

from experiments import datasets, entry
from experiments.classification.config import GROUPS, PRESETS, ClassificationConfig, split_sizes

DESCRIPTION = """\
Image classification by variational, frequentist and dropout networks (Shridhar 2019).

  python -m experiments.image_classification --dataset=mnist --preset=quick    minutes on a CPU
  python -m experiments.image_classification --dataset=cifar10 --model=alexnet --inference=frequentist

Trains on most of the training images, and after each epoch evaluates images kept for validation and the test set.
Interrupted, the same command goes on where it stopped. Each run leaves a record (tables, checkpoint, TensorBoard
events, a picture) under --output_dir.
Settings are given as --name=value; values below are the defaults, the setting of the thesis's appendix."""


def work(config):
    """Runs one image-classification run to its end, whatever part of it is done already.

    Args:
      config: a `ClassificationConfig`.

    Raises:
      UserError: for whatever a user can mend.
    """
    from experiments.classification.place import is_complete, prepare_directory
    from experiments.records.load import load_run

    dataset = datasets.resolve(config.dataset, config.data_dir, download=not config.dry_run)
    split_sizes(datasets.SIZES[dataset][0], config.validation)
    if config.dry_run:
        entry.start_tensorflow()
        from experiments.classification.dry_run import describe

        print(describe(config, dataset))
        return
    path = prepare_directory(config, dataset)
    if is_complete(config, path, dataset):
        _finish("already complete", load_run(path))
        return
    print(f"record: {path}", file=sys.stderr, flush=True)
    entry.start_tensorflow()
    from experiments.classification.run import run
    from experiments.classification.watch import EpochWatch

    watch = EpochWatch(config)
    try:
        finished = run(config, lambda: datasets.load(dataset, config.data_dir), path, watch)
    finally:
        watch.close()
    _finish("done", finished)


def _finish(word, finished):
    metrics, settings = finished.tables["metrics"], finished.config["settings"]
    error = "test error not evaluated (--test_every)"
    if metrics["test_error"][-1] >= 0:
        error = f"{100 * metrics['test_error'][-1]:.2f} % test error"
    print(
        f"{word}: {settings['model']}, {settings['inference']}, on {settings['dataset']}: {error} after "
        f"{metrics['epoch'][-1]:.0f} epochs; see {finished.path}/learning_curve.png"
    )


main = entry.point(work, ClassificationConfig, description=DESCRIPTION, groups=GROUPS, presets=PRESETS, unit="epoch")


if __name__ == "__main__":
    sys.exit(main())
