"""How a delivery gets to each kind of destination."""
