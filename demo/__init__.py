"""What the service does on real input: ``python -m demo`` or ``make demo``."""
