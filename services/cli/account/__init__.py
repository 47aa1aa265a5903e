"""`leadscore account …`: the people of one company, as the scorer sees them."""
