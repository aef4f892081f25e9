from __future__ import annotations

import re

import pytest

from orchestrator.cli.main import SECTIONS
from orchestrator.spec.cluster import load_cluster
from orchestrator.spec.load import load_jobs
from scripts import make_cli_docs, make_job_docs
from tests.docs.paths import ROOT, text_of

CLUSTERS = sorted((ROOT / "jobs" / "clusters").glob("*.yaml"))
JOB_FILES = sorted(path.name for path in (ROOT / "jobs").glob("*.yaml"))


def test_the_commands_page_is_up_to_date() -> None:
    """Else: python scripts/make_cli_docs.py."""
    assert text_of("docs/cli.md") == make_cli_docs.page()


def test_every_command_has_its_help() -> None:
    headings = re.findall(r"^## orch (\w+)$", text_of("docs/cli.md"), re.MULTILINE)
    assert headings == [name for section in SECTIONS.values() for name in section]


def test_the_job_files_tables_are_up_to_date() -> None:
    """Else: python scripts/make_job_docs.py."""
    text = text_of("docs/job-file.md")
    assert make_job_docs.page(text) == text


def test_every_section_of_a_job_file_has_its_table() -> None:
    tables = re.findall(r"<!-- fields: (\w+) -->", text_of("docs/job-file.md"))
    assert tables == make_job_docs.sections()


@pytest.mark.parametrize("name", JOB_FILES)
def test_every_example_loads(name: str) -> None:
    assert all(job.job.version == 1 for job in load_jobs(ROOT / "jobs" / name))


def test_every_example_is_named_by_the_readme() -> None:
    named = re.findall(r"\(jobs/(\w+\.yaml)\)", text_of("README.md"))
    assert set(named) == set(JOB_FILES)


def test_every_described_cluster_loads_and_is_named_by_the_readme() -> None:
    named = re.findall(r"\(jobs/clusters/(\w+\.yaml)\)", text_of("README.md"))
    assert set(named) == {path.name for path in CLUSTERS}
    assert all(load_cluster(path).nodes for path in CLUSTERS)
