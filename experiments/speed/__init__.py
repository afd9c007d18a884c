"""What `python -m experiments.benchmark` measures, and what it measures against."""
