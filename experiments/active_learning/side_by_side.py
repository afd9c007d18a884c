"""Several seeds of one run side by side: each has its own record, they share the training computation.

Every seed runs the same loop as alone, in a thread of its own, and meets the others where it trains: the training
that all who are there wait for is done at once, by `ReplicaTrainer`, and each goes on with its own network. A seed
always has the same place in that computation; places of seeds that are done, or further along after an interruption,
are filled with somebody else's training, whose result is thrown away. So what a seed gets does not depend on who else
is there.
"""

import threading

from experiments.active_learning.loop import run


class Meeting:
    """Where the seeds meet to train."""

    def __init__(self, places):
        """A meeting of `places` seeds, which are all expected until they `leave`."""
        self._places = places
        self._expected = set(range(places))
        self._requests = {}
        self._changed = threading.Condition()
        self._trainer = None
        self.is_stopped = False

    def trainer_at(self, place):
        """What makes the trainer of the seed at a place: `make_trainer` of its `ActiveLearner`."""
        return lambda network, **settings: _Member(self, place, network, settings)

    def leave(self, place):
        """The seed at this place will not train again."""
        with self._changed:
            self._expected.discard(place)
            self._changed.notify_all()

    def fit(self, place, request):
        """Waits until all who are expected have come, trains, and returns the curve of this seed.

        Raises:
          KeyboardInterrupt: if the meeting was stopped.
          NonFiniteLossError: if a loss is nan or infinite.
        """
        with self._changed:
            self._requests[place] = request
            self._changed.notify_all()
            while request.curve is None and request.error is None:
                if self.is_stopped:
                    raise KeyboardInterrupt
                if set(self._requests) >= self._expected:
                    self._train()
                else:
                    self._changed.wait(1.0)
        if request.error is not None:
            raise request.error
        return request.curve

    def _train(self):
        """Trains those who have the fewest images; the others wait until these have caught up."""
        fewest = min(len(request.images) for request in self._requests.values())
        together = {place: r for place, r in self._requests.items() if len(r.images) == fewest}
        for place in together:
            del self._requests[place]
        try:
            curves = self._fit_all(together)
            for place, request in together.items():
                if isinstance(curves[place], Exception):  # of this seed alone
                    request.error = curves[place]
                else:
                    request.curve = curves[place]
        except BaseException as error:
            for request in together.values():
                request.error = error
        self._changed.notify_all()

    def _fit_all(self, together):
        from bayes_layers.inference import ReplicaTrainer

        anybody = next(iter(together.values()))
        if self._trainer is None:
            self._trainer = ReplicaTrainer(anybody.network, self._places, **anybody.settings)
        filled = [together.get(place, anybody) for place in range(self._places)]
        networks = [request.network if place in together else _copy(anybody.network)
                    for place, request in enumerate(filled)]  # fmt: skip

        def progress(done, total):
            if self.is_stopped:
                raise KeyboardInterrupt
            for request in together.values():
                request.progress(done, total)

        return self._trainer.fit_all(
            networks,
            [request.images for request in filled],
            [request.labels for request in filled],
            seeds=[request.seed for request in filled],
            progress=progress,
            **anybody.arguments,
        )


class _Member:
    """The trainer of one seed, as its learner sees it."""

    def __init__(self, meeting, place, network, settings):
        self._meeting, self._place, self._network, self._settings = meeting, place, network, settings

    def fit(self, images, labels, *, seed, progress=None, **arguments):
        request = _Request(self._network, self._settings, images, labels, seed, progress, arguments)
        return self._meeting.fit(self._place, request)


class _Request:
    """One seed's wish to be trained."""

    def __init__(self, network, settings, images, labels, seed, progress, arguments):
        self.network, self.settings, self.images, self.labels = network, settings, images, labels
        self.seed, self.progress, self.arguments = seed, progress or (lambda done, total: None), arguments
        self.curve = self.error = None


def run_side_by_side(configs, dataset, paths, watches):
    """Runs, or continues, one active-learning run per config; the configs differ in their seeds.

    Args:
      configs: as many as the configs' `replicas`; None at the places of seeds that are complete.
      dataset: the `Dataset`.
      paths: their records' directories.
      watches: their `Watch` objects.

    Returns:
      The finished `Run` of every config; None for those that were complete.

    Raises:
      UserError: the first that one of them raised; the others go on to their ends.
      KeyboardInterrupt: after Ctrl-C, when all have stopped.
    """
    meeting, results, errors = Meeting(len(configs)), [None] * len(configs), {}

    def one(place):
        try:
            results[place] = run(
                configs[place], lambda: dataset, paths[place], watches[place], make_trainer=meeting.trainer_at(place)
            )
        except BaseException as error:
            errors[place] = error
        finally:
            meeting.leave(place)
            ended[place].set()

    # Events, not Thread.join: interrupted by an exception, it takes a running thread for one that has ended.
    ended = [threading.Event() for _ in configs]
    threads = []
    for place, config in enumerate(configs):
        if config is None:
            meeting.leave(place)
            ended[place].set()
        else:
            threads.append(threading.Thread(target=one, args=(place,), name=f"seed {config.seed}"))
    for thread in threads:
        thread.start()
    try:
        _wait(ended)
    except KeyboardInterrupt:
        meeting.is_stopped = True
        _wait(ended)
        raise
    if errors:
        raise errors[min(errors)]
    return results


def _wait(events):
    for event in events:
        while not event.wait(0.2):
            pass


def _copy(network):
    from bayes_layers.models.network import Network

    return Network.from_arrays(network.to_arrays())
