"""Text in, vectors out: encoder models from the hub, a folder or a package."""
