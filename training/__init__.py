"""Prepares data, trains, calibrates, measures, and builds the bundles that the service loads."""
