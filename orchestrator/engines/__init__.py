"""What runs on a GPU. The only importer of torch and the model libraries.

An engine has two halves. The preparer lives in the replica's actor, imports nothing
heavy and turns rows into batches. The executor lives in a process of its own, loads
the model and runs batches. So tokenising never competes with launching kernels for
one interpreter lock, and a crash of the model's process is an event, not our end.
"""
