"""`leadscore lead …`: one person, as the scorer sees them."""
