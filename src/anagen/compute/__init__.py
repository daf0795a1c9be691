"""Run one pure function over many inputs: here, in processes, on a cluster."""
