"""Who may do what: keys, rates, and the record of who wrote."""
