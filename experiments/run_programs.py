"""Checks and times exported XLA programs with JAX, on whatever device it has; TensorFlow need not be there.

Command: python -m experiments.run_programs DIRECTORY [--json=FILE]

DIRECTORY is what `python -m experiments.benchmark --export_stablehlo=DIRECTORY` wrote, on any machine. Every program is
compiled as TensorFlow compiles it for this package (deterministic operations), run on its inputs, and compared with
what TensorFlow's own kernels made of them; in bfloat16 the difference is shown, in float32 it has to pass. Then it is
timed: a step of training, a sample of an image, and how many times faster than the naive way, compiled too. Needs JAX:
`pip install '.[jax]'`, on an NVIDIA GPU `'jax[cuda13]'`.

Results: docs/benchmarks.md. Run time of `--check_only=true` on one core of a CPU: two minutes a network. XLA convolves
slowly on CPUs: timing is for GPUs, and for networks side by side (`--replicas` of the export) checking is too.
"""

import dataclasses
import os
import pathlib
import sys

from bayes_layers.settings import Settings, setting
from experiments import entry
from experiments.errors import UserError
from experiments.records import files

DETERMINISTIC = "--xla_gpu_deterministic_ops=true"  # what TensorFlow's enable_op_determinism asks of XLA


@dataclasses.dataclass(frozen=True)
class RunSettings(Settings):
    """Exported programs"""

    programs: str = setting("", "The directory of programs; given first, it needs no --programs=.")
    repeats: int = setting(10, "How many times each is timed.", minimum=1)
    check_only: bool = setting(False, "Compare outputs, and time nothing.")
    tolerance: float = setting(
        1e-4, "Largest difference from TensorFlow's outputs, over the largest value, that passes in float32.", above=0.0
    )
    deterministic: bool = setting(True, "Compile for the same bits in every run, as this package does.")
    json: str = setting("", "A file for the rows, as a JSON list.")


def work(config):
    """Checks and times all programs of a directory, and prints tables.

    Args:
      config: a `RunSettings`.

    Raises:
      UserError: if there is no such directory or no JAX, a file of it is missing or damaged, or outputs differ.
    """
    directory = pathlib.Path(config.programs)
    if not (directory / "programs.json").is_file():
        raise UserError(
            f"--programs={config.programs} is not valid: it takes a directory that "
            "`python -m experiments.benchmark --export_stablehlo=DIRECTORY` wrote"
        )
    if config.deterministic:
        os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {DETERMINISTIC}".strip()
    from experiments.speed import on_jax, xla_rows

    rows = []
    runtime = on_jax.Runtime(directory)
    if not config.check_only:
        rates = runtime.rates()
        print("; ".join(xla_rows.rate_text(name, rate) for name, rate in rates.items()), flush=True)
    print(f"{runtime.device}\n{xla_rows.HEAD}", flush=True)
    for listed in runtime.listed:
        row = runtime.check(listed)
        if not config.check_only:
            row |= runtime.time(listed, config.repeats)
            row["floor_share"] = xla_rows.floor_share(row, listed, rates)
        rows.append(row)
        print(xla_rows.line(row), flush=True)
        if config.json:
            files.write_json(config.json, rows)
    for text in xla_rows.ratios(rows):
        print(text)
    checked = [row for row in rows if row["precision"] == "float32" and row["error"] is not None]
    wrong = [f"{row['arch']}-{row['work']}" for row in checked if row["error"] > config.tolerance]
    if wrong:
        raise UserError(
            f"outputs differ from TensorFlow's by more than --tolerance={config.tolerance:g}: {', '.join(wrong)}"
        )


main = entry.point(work, RunSettings, description=__doc__, first="programs")


if __name__ == "__main__":
    sys.exit(main())
