"""`leadscore keys …`: new secrets, and how the old ones are replaced without anybody noticing."""
