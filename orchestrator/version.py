"""The version, in the one place from which packaging and programs take it."""

VERSION = "0.1.0"
