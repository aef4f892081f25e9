"""What stands below each field of a section, for the page and for editors."""

from __future__ import annotations

import ast
import inspect
from itertools import pairwise

from pydantic import BaseModel


def docstrings(model: type[BaseModel]) -> dict[str, str]:
    """By field: the string below its declaration, on one line."""
    found: dict[str, str] = {}
    for base in reversed(model.__mro__):
        if issubclass(base, BaseModel) and base is not BaseModel:
            found |= _declared(base)
    return found


def _declared(model: type[BaseModel]) -> dict[str, str]:
    (declared,) = ast.parse(inspect.getsource(model)).body
    assert isinstance(declared, ast.ClassDef)
    found: dict[str, str] = {}
    for above, below in pairwise(declared.body):
        if (
            isinstance(above, ast.AnnAssign)
            and isinstance(above.target, ast.Name)
            and isinstance(below, ast.Expr)
            and isinstance(below.value, ast.Constant)
        ):
            text = inspect.cleandoc(str(below.value.value))
            found[above.target.id] = " ".join(text.split())
    return found
