"""What things are: tasks, units, events, rows, errors, and the fold. Pure values; no I/O."""
