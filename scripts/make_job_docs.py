"""Writes the tables of docs/job-file.md from the job file's models.

    python scripts/make_job_docs.py

A table stands between `<!-- fields: Model -->` and `<!-- end -->`; the rest of the page
is written by hand. tests/docs holds it up to date.
"""

from __future__ import annotations

import inspect
import json
import re
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from orchestrator.spec.docstrings import docstrings
from orchestrator.spec.fields import section_of, sections_of
from orchestrator.spec.job import BatchJob, CommandJob, Header

PATH = Path(__file__).parents[1] / "docs" / "job-file.md"
TABLE = re.compile(r"(?<=<!-- fields: )(\w+)( -->\n).*?(?=<!-- end -->)", re.DOTALL)

HEAD = "| field | default | takes | meaning |\n|---|---|---|---|\n"

_ALL: list[type[BaseModel]] = [
    Header,
    *sections_of(BatchJob),
    *sections_of(CommandJob),
]
MODELS = {model.__name__: model for model in _ALL}
# Not written as a section, or described with the section they are nearly equal to.
WITHOUT_TABLE = {"GpuRange", "CommandResources", "Destination"}
# Of the fields of a kind, those that stand in the table of all kinds.
OF_ALL = {"kind", "resources"}

# What is written differently from what comes out of the models.
WRITTEN = {
    "kind": ("**required**", "`batch`, `command`"),
    "name": ("the file's name", "letters, digits, `.`, `_`, `-`"),
    "gpus": ("`auto`", '`auto`, `all`, a number, `"1..2"`'),
    "gpu_memory": ("`auto`", "`auto`, `20GiB`, `512MiB`"),
    "memory": ("`auto`", "`auto`, `20GiB`, `512MiB`"),
    "cpus": ("", "a number"),
    "gpu_type": ("", "`A100`, `cc>=8.0`, or a list"),
    "grace": ("`30s`", "`90s`, `15m`, `2h`, `0`"),
    "keep_alive": ("`2m`", "`90s`, `15m`, `2h`, `0`"),
    "backoff": ("`10s..5m`", "`10s..5m`, `10s`"),
    "job": ("**required**", "an id, or a name"),
    "when": ("`ok`", "`ok`, `any`, `fail`"),
    "max_failed": ('`"100%"`', '`10`, `"1%"`'),
    "after": ("`[]`", "a list"),
    "on": ("`[node_lost, worker_died]`", "a list of causes"),
    "exit_codes": ("`[]`", "a list of 1 to 255"),
    "env": ("`{}`", "`NAME: text`"),
    "secrets": ("`[]`", "a list of names"),
    "run": ("**required**", "text, or a list"),
    "range": ("", '`"0-31"`, `"0-31:2"`'),
    "matrix": ("", "`NAME: [value, ...]`"),
}
# In one section they are something else than their names say above.
ELSEWHERE = {
    ("Timeout", "run"): ("", "`90s`, `15m`, `2h`"),
    ("Timeout", "queue"): ("", "`90s`, `15m`, `2h`"),
    ("Timeout", "start"): ("", "`90s`, `15m`, `2h`"),
}
# Fields that need no docstring where they are declared.
SAID = {
    "version": "Of this format.",
    "kind": "What the job is; see below.",
    "name": "What `orch status` calls it.",
    "format": "Parquet has vectors as list columns.",
    "when": "How it must have ended: `ok` (it succeeded), `fail` (it did not), `any`.",
}
TYPES = {
    "Text | None": "text",
    "Text": "text",
    "str | None": "text",
    "Path | None": "a folder",
    "Entry | None": "`module:Class`",
    "dict[str, Any]": "a section",
    "tuple[str, ...]": "a list",
    "tuple[Text, ...]": "a list",
    "bool": "`true`, `false`",
    "bool | None": "`true`, `false`",
    "Count | None": "a whole number from 1",
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
    """The models that have a table: what all kinds have, the kinds, their sections."""
    first = [Header.__name__, BatchJob.__name__, CommandJob.__name__]
    rest = [name for name in MODELS if name not in WITHOUT_TABLE | {*first}]
    return first + rest


def _table(name: str) -> str:
    model = MODELS[name]
    said = docstrings(model)
    declared = set(inspect.get_annotations(model)) - OF_ALL
    rows = [
        _row(model, field, info, said.get(field, ""))
        for field, info in model.model_fields.items()
        if not issubclass(model, Header) or model is Header or field in declared
    ]
    return HEAD + "".join(rows)


def _row(model: type[BaseModel], name: str, field: FieldInfo, said: str) -> str:
    section = section_of(field.annotation)
    if section is not None and name != "gpus":
        default = "**required**" if field.is_required() else ""
        takes = "a list" if name == "after" else "a section"
        about = said or inspect.cleandoc(section.__doc__ or "")
        return f"| [`{name}`](#{name}) | {default} | {takes} | {about} |\n"
    known = ELSEWHERE.get((model.__name__, name)) or WRITTEN.get(name)
    default, takes = known or (_default(field), _takes(model, name, field))
    about = said.replace("`None`", "left out") or SAID[name]
    return f"| `{name}` | {default} | {takes} | {about} |\n"


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "**required**"
    value: Any = field.default
    if value is None:
        return ""
    shown = value if isinstance(value, str) else json.dumps(value)
    return f"`{shown}`"


def _takes(model: type[BaseModel], name: str, field: FieldInfo) -> str:
    if get_origin(field.annotation) is Literal:
        return ", ".join(f"`{choice}`" for choice in get_args(field.annotation))
    takes = TYPES[_annotation(model, name)]
    bounds = {type(rule).__name__: rule for rule in field.metadata}
    least, most = bounds.get("Ge"), bounds.get("Le")
    takes += f" from {least.ge}" if least else ""
    return takes + (f" to {most.le}" if most else "")


def _annotation(model: type[BaseModel], name: str) -> str:
    """A field's annotation as it is written in the source."""
    written = (inspect.get_annotations(base).get(name) for base in model.__mro__)
    return str(next(text for text in written if text is not None))


if __name__ == "__main__":
    main()
