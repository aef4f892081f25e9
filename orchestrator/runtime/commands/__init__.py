"""Commands on a node: a keeper a node, a shim a command, and what they say.

What the keeper and its shims import (`keeper`, `shim` and below) is standard library
only, so that a fork of them costs a millisecond and a command a few megabytes.
"""
