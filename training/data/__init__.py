"""Labelled texts: the record, the loaders, near-duplicates and splits."""
