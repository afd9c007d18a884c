"""The report page: records in, one self-contained HTML file out. No TensorFlow, no script, no network."""
