"""One active-learning run: the cycles, each ending in one commit."""

import numpy as np

from bayes_layers.config import PRIOR_SETTINGS
from bayes_layers.processor import resolve_jit_compile, resolve_precision
from bayes_layers.settings import SettingError
from bayes_layers.uncertainty.calibration import evaluate
from experiments import datasets
from experiments.active_learning.acquisition import initial_indices
from experiments.active_learning.config import result_settings
from experiments.errors import UserError
from experiments.records import facts, figures, record, tables
from experiments.records.checkpoint import State
from experiments.records.kept import is_kept_to, kept_state
from experiments.records.load import load_run
from experiments.records.lock import RecordLock
from experiments.records.paths import record_path
from experiments.timer import Timer


def prepare_directory(config, dataset_name):
    """Makes the record's directory, and returns its path; UserError if it cannot be made or written to."""
    return record.make_directory(record_path(config, dataset_name), config.output_dir)


def is_complete(config, path):
    """Whether this config needs nothing written to a record; RecordError if it is damaged or of another."""
    if not (path / "config.json").exists():
        return False
    settings = stored_settings(config, path)
    if record.is_kept(path):
        return is_kept_to(path, settings, config.last_cycle)
    state = record.finished_state(path, settings)
    return bool(state) and state.cycle >= config.last_cycle


def stored_settings(config, path=None, dataset=None):
    """The settings for `config.json`: those that are part of a record, with auto resolved.

    What auto means for a record is decided once: an existing record's decision is kept.
    """
    known = (record.read_config(path) or {}).get("settings", {}) if path else {}
    settings = {**result_settings(config), "max_labels": config.max_labels, "test_every": config.test_every}
    settings["dataset"] = dataset or known.get("dataset", config.dataset)
    settings["test_dropout"] = str(config.dropout_samples).lower()
    settings["estimator"] = config.noise_estimator
    decide = {
        "precision": lambda: resolve_precision("auto", config),
        "jit_compile": lambda: resolve_jit_compile("auto"),
    }
    for name, decision in decide.items():
        if settings[name] == "auto":
            settings[name] = known.get(name) or decision()
    return settings


def run(config, load_dataset, path, watch, **learner):
    """Runs, or continues, an active-learning run.

    Args:
      config: an `ActiveLearningConfig`.
      load_dataset: called without arguments for the `Dataset`, once the record is ours.
      path: the record's directory (`prepare_directory`).
      watch: a `Watch` (`experiments.active_learning.watch`), told of all progress.
      **learner: further arguments of the `ActiveLearner`.

    Returns:
      The `Run` as `load_run` gives it.

    Raises:
      UserError: for whatever a user can mend.
    """
    with RecordLock(path) as lock:
        dataset = load_dataset()
        settings = stored_settings(config, path, dataset.name)
        book = record.Record(path, lock)
        stated = {"settings": settings, **facts.facts(dataset)}
        kept = kept_state(path, config, dataset, stated) if record.is_kept(path) else None
        state = book.open(stated, kept)
        for change in book.changes:
            watch.warn(f"since this record was begun, {change}")
        _Cycles(config, settings, dataset, book, watch, learner).run(state)
        finished = load_run(path)
        figures.draw(finished)
    return finished


def check_budget(config, dataset_name):
    """Raises SettingError if a data set, or a class of it, is too small for the settings."""
    size, _, classes = datasets.SIZES[dataset_name]
    for name in ("initial_labels", "max_labels"):
        if getattr(config, name) > size:
            raise SettingError(
                f"--{name}={getattr(config, name)} is not valid: {dataset_name} has {size} images "
                f"to learn from, so it takes at most {size}"
            )
    rarest = datasets.RAREST_CLASS[dataset_name]
    if config.balanced_init and config.initial_labels > classes * rarest:
        raise SettingError(
            f"--initial_labels={config.initial_labels} is not valid: a class of {dataset_name} has only {rarest} "
            f"images to learn from, so balanced initial labels are at most {classes * rarest} (--nobalanced_init takes "
            "more)"
        )
    if config.query_size > size - config.initial_labels and config.max_labels > config.initial_labels:
        raise SettingError(
            f"--query_size={config.query_size} is not valid: after {config.initial_labels} initial labels the pool of "
            f"{dataset_name} holds {size - config.initial_labels} images, so it takes at most that"
        )


class _Cycles:
    """The loop over cycles: fit, evaluate, ask, commit."""

    def __init__(self, config, settings, dataset, book, watch, learner):
        from experiments.active_learning.learner import ActiveLearner

        self.config, self.dataset, self.book, self.watch = config, dataset, book, watch
        names = (
            "arch",
            "inference",
            "dropout_layers",
            "weight_init",
            "mu_init",
            "sigma_init",
            "loc_init",
            "variance",
            "estimator",
            *PRIOR_SETTINGS,
            "test_dropout",
            "epochs",
            "batch_size",
            "learning_rate",
            "weight_decay",
            "mean_decay",
            "train_samples",
            "kl_scale",
            "kl_schedule",
            "kl_warmup",
            "warm_start",
            "num_samples",
            "sampling",
            "acquisition",
            "query_size",
            "pool_subset",
            "scoring",
            "precision",
            "seed",
        )
        self.learner = ActiveLearner(
            dataset.train_images,
            dataset.num_classes,
            jit_compile=settings["jit_compile"] == "true",
            capacity=config.max_labels,
            **{name: settings[name] for name in names},
            **learner,
        )
        self.rows = {name: [] for name in tables.COLUMNS}
        self.global_step = 0

    def run(self, state):
        """Runs from a committed state (or None) to the last cycle."""
        from experiments.records.events import EventWriter

        with EventWriter(self.book.path, self.config) as events:
            if state:
                pending = self._restore(state)
                events.write(state, *self._event_details(state))
            else:
                pending = self._initial()
            if self.learner.cycle < self.config.last_cycle:
                self.book.remove_pictures()
            while self.learner.cycle < self.config.last_cycle:
                if not pending:
                    pending = self._go_on()
                state, pending = self._cycle(pending)
                events.write(state, *self._event_details(state))

    def _initial(self):
        try:
            indices = initial_indices(
                self.dataset.train_labels, self.config.initial_labels, self.config.balanced_init, self.config.seed
            )
        except ValueError as error:
            raise UserError(f"--initial_labels={self.config.initial_labels} is not valid: {error}") from error
        return self._picks(0, indices, [None] * len(indices))

    def _restore(self, state):
        self.rows = {name: [dict(row) for row in rows] for name, rows in state.rows.items()}
        self.global_step = state.global_step
        indices = tables.column(self.rows["acquisitions"], "index", int)
        labels = tables.column(self.rows["acquisitions"], "label", int)
        self.learner.restore(indices, labels, state.cycle, state.network)
        self.book.publish(state, self._acquired())
        self.watch.resumed(self.rows["metrics"])
        return state.pending

    def _cycle(self, picks):
        """Labels the picks, fits, evaluates, chooses the next picks and commits."""
        self.rows["acquisitions"] += picks
        self.learner.tell(tables.column(picks, "index", int), tables.column(picks, "label", int))
        cycle, labels = self.learner.cycle, len(self.learner.labelled)
        self.watch.begin_cycle()
        with Timer() as train_time:
            curve = self._fit(cycle)
        self.global_step += self._steps_per_epoch() * self.config.epochs
        tested, test_time = {}, None
        if self.config.is_tested(cycle):
            with Timer() as timer:
                tested = self._evaluate(cycle)
            test_time = timer.text
        self.rows["metrics"].append(
            tables.row(
                "metrics",
                cycle=cycle,
                labels=labels,
                **tested,
                train_nll=curve["nll"][-1],
                train_kl=curve["kl"][-1],
                kl_weight=self.learner.kl_weight,
                train_seconds=train_time.text,
                test_seconds=test_time,
            )
        )
        self.rows["posterior"] += self._posterior_rows(cycle)
        pending = [] if cycle == self.config.last_cycle else self._ask()
        state = State(cycle, self.global_step, self.rows, self.learner.network.to_arrays(), pending, curve)
        self.book.commit(state, self._acquired())
        self.watch.end_cycle(self.rows["metrics"][-1])
        return state, pending

    def _fit(self, cycle):
        from bayes_layers.inference.training import NonFiniteLossError

        try:
            return self.learner.fit(lambda done, total: self.watch.progress("training", done, total))
        except NonFiniteLossError as error:
            raise UserError(
                f"cycle {cycle}: {error}; the committed cycles are kept. Try a smaller --learning_rate "
                f"(now {self.config.learning_rate:g}), --weight_decay (now {self.config.weight_decay:g}) or --mu_init, "
                f"or a larger --kl_scale (now {self.config.kl_scale})"
            ) from error

    def _evaluate(self, cycle):
        mean = self.learner.predict(
            self.dataset.test_images, lambda done, total: self.watch.progress("testing", done, total)
        )
        result = evaluate(mean, self.dataset.test_labels)
        self.rows["calibration"] += [tables.row("calibration", cycle=cycle, **bin_row) for bin_row in result["bins"]]
        return {f"test_{name}": result[name] for name in ("error", "nll", "brier", "ece")}

    def _go_on(self):
        """The picks after a cycle that no acquisition followed, or of which only the tables were kept."""
        if not self.rows["metrics"][-1]["score_seconds"]:
            self._forget_extra_test()
        self.watch.begin_cycle()
        if not self.learner.is_fitted and self.config.acquisition != "random":
            self.watch.write(f"the record was kept without its network: cycle {self.learner.cycle} is fitted again")
            self._fit(self.learner.cycle)
        return self._ask()

    def _forget_extra_test(self):
        """Removes the test of what was the last cycle, if --test_every does not ask for it in a longer run."""
        if self.learner.cycle % self.config.test_every:
            for name in ("test_error", "test_nll", "test_brier", "test_ece", "test_seconds"):
                self.rows["metrics"][-1][name] = ""
            self.rows["calibration"] = [r for r in self.rows["calibration"] if int(r["cycle"]) != self.learner.cycle]

    def _ask(self):
        """Chooses the images of the next cycle, and notes the time in the row of this one."""
        with Timer() as timer:
            indices = self.learner.ask(lambda done, total: self.watch.progress("scoring", done, total))
        self.rows["metrics"][-1]["score_seconds"] = timer.text
        return self._picks(self.learner.cycle + 1, indices, self.learner.scores)

    def _picks(self, cycle, indices, scores):
        return [
            tables.row(
                "acquisitions",
                cycle=cycle,
                rank=rank,
                index=int(index),
                label=int(self.dataset.train_labels[index]),
                score=score,
            )
            for rank, (index, score) in enumerate(zip(indices, scores, strict=True))
        ]

    def _posterior_rows(self, cycle):
        from experiments.posterior_rows import posterior_summary

        return [tables.row("posterior", cycle=cycle, **values) for values in posterior_summary(self.learner.network)]

    def _acquired(self):
        indices = self.learner.labelled
        cycles = tables.column(self.rows["acquisitions"], "cycle", int)
        return {
            "image": self.dataset.train_images[indices],
            "label": self.learner.pool.labels,
            "index": indices,
            "cycle": np.array(cycles, np.int64),
        }

    def _event_details(self, state):
        """The images that joined the training set in the state's cycle, and its steps per epoch."""
        joined = [int(r["index"]) for r in state.rows["acquisitions"] if int(r["cycle"]) == state.cycle]
        return self.dataset.train_images[joined], self._steps_per_epoch()

    def _steps_per_epoch(self):
        return -(-len(self.learner.labelled) // self.config.batch_size)
