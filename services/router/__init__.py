"""Transitions in, deliveries out. Brings qualified leads with their reasons to webhooks and the sales queue."""
