"""Studies: many runs of one experiment, compared; everything but the running loads without TensorFlow."""
