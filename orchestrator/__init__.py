"""Runs models on every GPU you have, explains every decision, and loses nothing."""
