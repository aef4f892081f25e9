from __future__ import annotations

import io
import sys

import pytest

from orchestrator.render.talk import Talk


def test_quiet_leaves_out_talk_and_keeps_warnings(
    capsys: pytest.CaptureFixture[str],
) -> None:
    talk = Talk(quiet=True)
    talk.say("hello")
    talk.warn("mind this")
    assert capsys.readouterr().err == "mind this\n"


def test_colour_is_asked_for_or_not(monkeypatch: pytest.MonkeyPatch) -> None:
    said = {}
    monkeypatch.delenv("NO_COLOR", raising=False)
    for variable in ("NO_COLOR", "FORCE_COLOR"):
        with monkeypatch.context() as environment:
            environment.setenv("TERM", "xterm")
            environment.setenv("FORCE_COLOR", "1")
            environment.setenv(variable, "1")
            stderr = io.StringIO()
            environment.setattr(sys, "stderr", stderr)
            Talk().warn("careful", "red")
            said[variable] = stderr.getvalue()
    assert said["NO_COLOR"] == "careful\n"
    assert "\x1b[31m" in said["FORCE_COLOR"]


def test_an_old_terminal_gets_ascii(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    ascii_only = io.TextIOWrapper(raw, encoding="ascii", write_through=True)
    monkeypatch.setattr(sys, "stderr", ascii_only)
    Talk().say("✓ done · → ./out …")
    assert raw.getvalue() == b"* done - -> ./out ...\n"
