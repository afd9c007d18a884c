"""Exports of a package that are imported when first used (PEP 562).

`--help`, a wrong flag and a report from records must answer at once, so no package's `__init__`
may load TensorFlow.
"""

import importlib


def lazy_exports(package, exports):
    """Returns `__getattr__`, `__dir__` and `__all__` for a package's `__init__`.

    Args:
      package: the package's `__name__`.
      exports: dict from a module's full name to the names that it exports.

    Returns:
      The three objects, to be assigned to the module's attributes of these names.
    """
    origin = {name: module for module, names in exports.items() for name in names}

    def __getattr__(name):
        if name not in origin:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(importlib.import_module(origin[name]), name)

    return __getattr__, lambda: sorted(origin), sorted(origin)
