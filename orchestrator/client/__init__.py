"""The way to the controller: HTTP, and how one is started when there is none."""
