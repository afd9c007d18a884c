"""Rows of `experiments.run_programs` as text."""

HEAD = (
    f"{'arch':<12}{'work':<12}{'precision':<10}{'replicas':>9}{'compiled':>10}{'difference':>12}"
    f"{'a call':>13}{'a step, or sample and image':>29}{'floor share':>13}"
)
PAIRS = {"train": "naive_step", "score": "naive_pass"}


def rate_text(name, rate):
    """One of the machine's rates."""
    return f"copy: {rate / 1e9:,.0f} GB/s" if name == "copy" else f"{name} matrix product: {rate / 1e12:.1f} TFLOP/s"


def line(row):
    """A row of the table."""
    error = "-" if row["error"] is None else f"{row['error']:.1e}"
    text = f"{row['arch']:<12}{row['work']:<12}{row['precision']:<10}{row['replicas']:>9}"
    text += f"{row['compile_s']:>8.1f} s{error:>12}"
    if "seconds" not in row:
        return text
    share = "" if row["floor_share"] is None else f"{100 * row['floor_share']:>11.0f} %"
    return f"{text}{1e3 * row['seconds']:>10.3f} ms{1e6 * row['unit_s']:>26.3f} us{share}"


def floor_share(row, listed, rates):
    """The share of a call's time that its arithmetic, or its bytes, need at the device's rates; None if not known."""
    if "operations" not in listed:
        return None
    steps = listed["time"] if listed["work"] == "train" else 1
    least = max(listed["operations"] / rates[listed["precision"]], listed["bytes"] / rates["copy"])
    return steps * least / row["seconds"]


def ratios(rows):
    """Lines that say how many times faster than the naive way each program of the package is."""
    naive = {(row["arch"], row["work"]): row["unit_s"] for row in rows if "unit_s" in row}
    for row in rows:
        seconds = naive.get((row["arch"], PAIRS.get(row["work"])))
        if seconds is not None:
            yield f"{row['arch']}, {row['work']}: {seconds / row['unit_s']:.1f} times the naive way's speed"
