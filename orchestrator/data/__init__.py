"""Rows in, rows out: chunks of the input, parts of the output, merged in order."""
