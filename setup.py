"""Installation: `python -m pip install .`, or `-e '.[test]'` to work on it."""

import pathlib
import re

from setuptools import find_packages, setup

HERE = pathlib.Path(__file__).parent
VERSION = re.search(r'__version__ = "(.+)"', (HERE / "bayes_layers" / "__init__.py").read_text()).group(1)

JAX = "jax>=0.10,<0.12; python_version>='3.11'"  # runs exported XLA programs where TensorFlow is not

setup(
    name="bayes-layers",
    version=VERSION,
    description="Bayesian layers in TensorFlow Probability, and deep Bayesian active learning with them",
    long_description=(HERE / "README.md").read_text(),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    packages=find_packages(include=["bayes_layers*", "experiments*", "flags*"]),
    package_data={"experiments.page": ["style.css"]},
    python_requires=">=3.10",
    install_requires=[
        "absl-py>=2.1,<3",
        "importlib_resources",  # tensorflow-datasets imports it without declaring it
        "matplotlib>=3.7,<4",
        "numpy>=1.26,<3",
        "pillow>=9",
        "psutil>=5.9,<8",
        "scikit-learn>=1.3,<2",
        "scipy>=1.11,<2",
        "tensorboard>=2.21,<2.22",
        "tensorflow>=2.21,<2.22",
        "tensorflow-datasets>=4.9.10,<4.10",
        "tensorflow-probability>=0.25,<0.26",
        "tf_keras>=2.21,<2.22",
        "tqdm>=4.60,<5",
    ],
    extras_require={
        "test": ["pytest>=9,<10", "pytest-xdist>=3.6,<4", "ruff>=0.17,<0.18", "nbclient>=0.9,<1", "ipykernel>=6", JAX],
        "notebooks": ["jupyter>=1", "nbclient>=0.9,<1", "ipykernel>=6"],
        "cluster": ["ray>=2.9,<3"],
        "jax": [JAX],
        "gpu": ["tensorflow[and-cuda]>=2.21,<2.22"],
    },
    classifiers=[
        "License :: OSI Approved :: Apache Software License",
        "Programming Language :: Python :: 3.10",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
    ],
)
