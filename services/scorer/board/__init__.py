"""lead_board: what lists and searches read, kept up to date beside the path of events."""
