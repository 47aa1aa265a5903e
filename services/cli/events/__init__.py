"""`leadscore events …`: stored events, and what counts of them."""
