"""A job's life: events in, instructions out, one gate. Pure: no clock, no I/O."""
