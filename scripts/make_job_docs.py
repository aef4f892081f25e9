"""Writes the tables of docs/job-file.md from the job file's models.

    python scripts/make_job_docs.py

A table stands between `<!-- fields: Model -->` and `<!-- end -->`; the rest of the page
is written by hand. tests/docs holds it up to date.
"""

from __future__ import annotations

import ast
import inspect
import json
import re
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from orchestrator.spec import job

PATH = Path(__file__).parents[1] / "docs" / "job-file.md"
TABLE = re.compile(r"(?<=<!-- fields: )(\w+)( -->\n).*?(?=<!-- end -->)", re.DOTALL)

HEAD = "| field | default | takes | meaning |\n|---|---|---|---|\n"

# What is written differently from what comes out of the models.
WRITTEN = {
    "resources.gpus": ("`auto`", '`auto`, `all`, a number, `"1..2"`'),
    "resources.gpu_memory": ("`auto`", "`auto`, `20GiB`, `512MiB`"),
    "batch.max_failed": ('`"100%"`', '`10`, `"1%"`'),
    "job.keep_alive": ("`2m`", "`90s`, `15m`, `2h`, `0`"),
    "job.name": ("the file's name", "letters, digits, `.`, `_`, `-`"),
}
# Fields that need no docstring where they are declared.
SAID = {
    "job.version": "Of this format.",
    "job.kind": "Rows in, results out, then it ends.",
    "job.name": "What `orch status` calls it.",
    "output.format": "Parquet has vectors as list columns.",
}
TYPES = {
    "Text | None": "text",
    "Text": "text",
    "str | None": "text",
    "Entry | None": "`module:Class`",
    "dict[str, Any]": "a section",
    "tuple[str, ...]": "a list",
    "tuple[Text, ...]": "a list",
    "bool": "`true`, `false`",
    "bool | None": "`true`, `false`",
    "Whole | None": "a whole number",
    "Whole": "a whole number",
    "OutputPath": "text",
}


def main() -> None:
    """Write the tables anew."""
    PATH.write_text(page(PATH.read_text("utf-8")), "utf-8")


def page(text: str) -> str:
    """The page with its tables as the models have them now."""
    return TABLE.sub(lambda found: f"{found[1]}{found[2]}{_table(found[1])}", text)


def sections() -> list[str]:
    """The models that a user writes, the job itself first."""
    inner = [_inner(field) for field in job.Job.model_fields.values()]
    return ["Job", *(model.__name__ for model in inner if model is not None)]


def _table(name: str) -> str:
    model: type[BaseModel] = getattr(job, name)
    said = _docstrings(model)
    rows = [
        _row(f"{name.lower()}.{field}", info, said.get(field, ""))
        for field, info in model.model_fields.items()
    ]
    return HEAD + "".join(rows)


def _row(path: str, field: FieldInfo, said: str) -> str:
    name = path.partition(".")[2]
    if (section := _inner(field)) is not None:
        default = "**required**" if field.is_required() else ""
        about = inspect.cleandoc(section.__doc__ or "")
        return f"| [`{name}`](#{name}) | {default} | a section | {about} |\n"
    default, takes = WRITTEN.get(path) or (_default(field), _takes(path, field))
    about = " ".join(said.split()).replace("`None`", "left out") or SAID[path]
    return f"| `{name}` | {default} | {takes} | {about} |\n"


def _inner(field: FieldInfo) -> type[BaseModel] | None:
    kind = field.annotation
    if not isinstance(kind, type) or not issubclass(kind, BaseModel):
        return None
    return None if kind is job.GpuRange else kind


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "**required**"
    value: Any = field.default
    if value is None:
        return ""
    shown = value if isinstance(value, str) else json.dumps(value)
    return f"`{shown}`"


def _takes(path: str, field: FieldInfo) -> str:
    if get_origin(field.annotation) is Literal:
        return ", ".join(f"`{choice}`" for choice in get_args(field.annotation))
    section, _, name = path.partition(".")
    takes = TYPES[_annotation(section.title(), name)]
    bounds = {type(rule).__name__: rule for rule in field.metadata}
    least, most = bounds.get("Ge"), bounds.get("Le")
    takes += f" from {least.ge}" if least else ""
    return takes + (f" to {most.le}" if most else "")


def _annotation(section: str, name: str) -> str:
    """A field's annotation as it is written in the source."""
    return str(getattr(job, section).__annotations__[name])


def _docstrings(model: type[BaseModel]) -> dict[str, str]:
    """By field: the string that stands below its declaration."""
    (declared,) = ast.parse(inspect.getsource(model)).body
    assert isinstance(declared, ast.ClassDef)
    found: dict[str, str] = {}
    for above, below in zip(declared.body, declared.body[1:], strict=False):
        if (
            isinstance(above, ast.AnnAssign)
            and isinstance(above.target, ast.Name)
            and isinstance(below, ast.Expr)
            and isinstance(below.value, ast.Constant)
        ):
            found[above.target.id] = inspect.cleandoc(str(below.value.value))
    return found


if __name__ == "__main__":
    main()
