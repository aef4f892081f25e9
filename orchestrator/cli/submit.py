"""`orch submit`: check, queue, follow."""

from __future__ import annotations

import click

from orchestrator.cli.attach import attach
from orchestrator.cli.jobfile import headline, overrides_of, read_job, request_of
from orchestrator.cli.session import Session, with_session
from orchestrator.client.start import connect_or_start
from orchestrator.render.paths import short_path


@click.command(
    "submit",
    epilog="""\b
Examples:
  orch submit jobs/embed.yaml
  orch submit -d jobs/embed.yaml --set resources.gpus=1
  generate-job | orch submit - -o ./vectors""",
)
@click.argument("file")
@click.option("-d", "--detach", is_flag=True, help="Print the id and return.")
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="PATH=VALUE",
    help="Change one field of the job file; may be repeated.",
)
@click.option("-n", "--name", help="The job's name.")
@click.option("-o", "--output", metavar="DIR", help="Where the results go.")
@with_session
def command(
    session: Session,
    *,
    file: str,
    detach: bool,
    settings: tuple[str, ...],
    name: str | None,
    output: str | None,
) -> int:
    """Run a job file (or - for stdin), and follow it to its results.

    The file is checked first; then the job is queued, and a controller is started
    if there is none. Ctrl-C detaches and the job goes on; twice cancels it. The
    exit code is the job's outcome; the path of the results goes to stdout.
    """
    loaded = read_job(file, overrides_of(settings, name, output))
    request = request_of(loaded)
    with connect_or_start(session.folder, session.progress) as client:
        job = client.submit(request)
        if detach and session.as_json:
            session.answer("submit", {"job": job.document})
        elif detach:
            session.write(str(job.id))
        if detach:
            return 0
        session.talk.say(headline(loaded, short_path(job.output)))
        return attach(session, client, job)
