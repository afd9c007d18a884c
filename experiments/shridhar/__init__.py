"""Shridhar 2019, "A Comprehensive guide to Bayesian Convolutional Neural Network with Variational Inference".

One module per table or figure, each a command: `python -m experiments.shridhar.table1`.
"""
