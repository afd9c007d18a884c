"""Image classification by variational, frequentist and dropout networks: one run, epoch by epoch."""
