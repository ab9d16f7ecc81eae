"""What happens to a ticket after it was classified."""
