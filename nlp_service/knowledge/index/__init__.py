"""Vector indexes: nearest neighbours by inner product, behind one protocol."""
