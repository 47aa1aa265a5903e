"""Accounts: the people of one company together, kept up to date beside the path of events."""
