"""Stand-ins for the controller's start, stop and plan programs."""
