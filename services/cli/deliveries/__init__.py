"""`leadscore deliveries …` and `leadscore destinations …`: what was told to whom, and what was not."""
