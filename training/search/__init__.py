"""The `search` encoder: wordings and queries to learn from, contrastive training, retrieval figures."""
