"""Articles from and to files: one module for each format, all found by `registry`."""
