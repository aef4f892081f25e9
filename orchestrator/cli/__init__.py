"""The command line: parse, ask the client, render, exit code. One module a command."""
