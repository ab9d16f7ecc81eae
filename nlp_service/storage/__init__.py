"""The database: the truth about articles and their vectors."""
