"""What the description of ingest's API is made of; services/cli/contracts writes it."""
