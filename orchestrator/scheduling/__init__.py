"""Where a job runs: snapshot + demand -> plan or diagnosis. Pure."""
