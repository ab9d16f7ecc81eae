"""Tickets and reviews: taken in, solved, drafted into articles, erased; who answers a ticket, and by when."""
