"""Beyond one machine: corpora by Ray Data, the service by Ray Serve."""
