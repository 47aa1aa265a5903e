"""Models, conditions, differences and receipts as sentences."""
