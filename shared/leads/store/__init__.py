"""The SQL of the read side."""
