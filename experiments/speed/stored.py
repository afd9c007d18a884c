"""Names of the files of an exported directory of programs; light, for machines without TensorFlow."""

LISTED, ARRAYS = "programs.json", "arrays.npz"
