"""What the experiment `mnist_uncertainty` is made of."""
