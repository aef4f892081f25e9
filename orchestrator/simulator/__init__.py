"""The placement experiment: a recorded cluster and its jobs, put to the planner."""
