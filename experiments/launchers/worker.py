"""A process that makes runs, one after another: requests on standard input, answers on standard output, as JSON lines.

When its standard input ends, because it was closed or its parent died, it leaves the run that it is in as after Ctrl-C:
the record keeps what was committed, and its lock is given back.
"""

import _thread
import json
import os
import queue
import signal
import sys
import threading

from experiments.launchers.single import make


def main():
    """Serves requests until there are no more."""
    signal.signal(signal.SIGTERM, _interrupt)
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a library prints is no answer
    requests = queue.SimpleQueue()
    threading.Thread(target=_read, args=(requests,), daemon=True).start()
    try:
        for request in iter(requests.get, None):
            print(json.dumps(make(request["settings"], request["dataset"])), file=answers, flush=True)
    except (KeyboardInterrupt, BrokenPipeError):
        pass


def _read(requests):
    for line in sys.stdin:
        requests.put(json.loads(line))
    requests.put(None)
    _thread.interrupt_main(signal.SIGTERM)


def _interrupt(signum, frame):
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()
