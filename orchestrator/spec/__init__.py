"""What the user writes: the job file, checked and frozen. Pure."""
