"""One module per kind of sender: its wire format → `Draft`s."""
