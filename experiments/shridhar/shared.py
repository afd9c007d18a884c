"""What tables and figures share."""

from experiments.comparison.results import accuracy
from experiments.comparison.tables import Entry, write
from experiments.shridhar.published import CONTRADICTIONS

TITLES = {"mnist": "MNIST", "cifar10": "CIFAR-10", "cifar100": "CIFAR-100", "digits": "digits"}


def accuracy_table(name, title, numbers):
    """The report of a table of accuracies in %.

    Args:
      name: the table's name, such as "table1".
      title: its heading.
      numbers: the thesis's, a dict from (network, data set) to accuracy.

    Returns:
      A function of `Results`, for `study.point`.
    """

    def report(results):
        entries = [
            Entry(cell.row, TITLES[cell.dataset], results.values(cell.row, cell.dataset, accuracy),
                  numbers.get((cell.row, cell.dataset)))
            for cell in results.cells
        ]  # fmt: skip
        return write(name, title, entries, results, CONTRADICTIONS[name])

    return report


def notes(name):
    """`notes.md` of a figure: where the thesis contradicts itself on it."""
    return {"notes.md": "# The thesis contradicts itself\n\n" + "".join(f"- {note}\n" for note in CONTRADICTIONS[name])}
