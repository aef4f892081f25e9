"""Measurements; every table has the rival beside us, in the same run."""
