"""What is kept for how long, and what happens to it then (docs/decisions/0011)."""
