"""Processes that commit made-up cycles to a record, for tests that kill them. No TensorFlow.

Each line of the standard input is a JSON list of a record's directory, the last cycle and a fault. A fork of this
process commits; the answer is a line with its return code and what it wrote to the standard error.
"""

import json
import os
import pathlib
import sys
import tempfile
import traceback

import numpy as np

from experiments.records import files, tables
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


def in_a_fork(directory, last_cycle, fault):
    """The return code, minus the signal for one that was killed, and the standard error."""
    with tempfile.TemporaryFile("w+") as said:
        child = os.fork()
        if child:
            code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            said.seek(0)
            return code, said.read()
        code = 1
        try:
            os.dup2(said.fileno(), 2)
            os.environ[files.FAULT_VARIABLE] = fault
            main(directory, last_cycle)
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(code)


if __name__ == "__main__":
    for line in sys.stdin:
        print(json.dumps(in_a_fork(*json.loads(line))), flush=True)
