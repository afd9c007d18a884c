"""A process that commits made-up cycles to a record, for tests that kill it. No TensorFlow.

usage: python commit_loop.py DIRECTORY LAST_CYCLE
"""

import pathlib
import sys

import numpy as np

from experiments.records import tables
from experiments.records.checkpoint import State
from experiments.records.lock import RecordLock
from experiments.records.record import Record


def acquired(rows):
    order = np.array(tables.column(rows["acquisitions"], "index", int), np.int64)
    return {
        "image": np.zeros([len(order), 2, 2, 1], np.uint8),
        "label": order % 10,
        "index": order,
        "cycle": order // 2,
    }


def main(directory, last_cycle):
    path = pathlib.Path(directory)
    path.mkdir(parents=True, exist_ok=True)
    with RecordLock(path) as lock:
        book = Record(path, lock)
        facts = {"settings": {"arch": "BNN", "max_labels": 2 * last_cycle}, "versions": {}, "git_commit": None,
                 "device": "a test", "dataset": {"sha256": "0"}}  # fmt: skip
        state = book.open(facts)
        rows = state.rows if state else {name: [] for name in tables.COLUMNS}
        if state:
            book.publish(state, acquired(rows))
        weights = state.network["weight"] if state else np.zeros(100)
        for cycle in range(state.cycle + 1 if state else 0, last_cycle + 1):
            weights = 0.5 * weights + cycle  # depends on the past, like a warm start
            for rank in range(2):
                index = 2 * cycle + rank
                rows["acquisitions"].append(
                    tables.row("acquisitions", cycle=cycle, rank=rank, index=index, label=index % 10)
                )
            rows["metrics"].append(
                tables.row("metrics", cycle=cycle, labels=2 * cycle + 2, train_nll=float(weights.sum()))
            )
            rows["posterior"].append(tables.row("posterior", cycle=cycle, layer="Dense2", kl=weights[0]))
            rows["calibration"].append(tables.row("calibration", cycle=cycle, bin=0, count=cycle))
            book.commit(State(cycle, cycle * 10, rows, {"weight": weights}, [], {"nll": np.ones(2)}), acquired(rows))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
