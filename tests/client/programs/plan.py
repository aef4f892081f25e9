"""Answers with a plan that names the job it was asked about."""

from __future__ import annotations

import json
import sys

from tests.client import documents

asked = json.load(sys.stdin)
plan = documents.plan(0).to_json()
sys.stdout.write(json.dumps({"plan": {**plan, "reason": asked["spec"]["name"]}}) + "\n")
