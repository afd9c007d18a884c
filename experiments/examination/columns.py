"""The columns of the tables of an examination. Light: no TensorFlow."""

CURVE = ("score", "sparsity", "threshold", "val_accuracy", "test_accuracy", "test_nll", "test_ece")
STAGES = ("score", "stage", "epochs", "sparsity", "parameters", "val_accuracy", "test_accuracy", "test_nll", "test_ece")
LAYERS = ("score", "stage", "layer", "weights", "kept", "sparsity", "parameters")
