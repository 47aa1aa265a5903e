"""`leadscore model …`: check a scoring model, try it on history, publish it, take it back."""
