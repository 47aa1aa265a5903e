"""`make soak`: traffic for an hour while things break."""
