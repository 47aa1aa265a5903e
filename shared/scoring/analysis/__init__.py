"""What can be proven about a model without history: what can hold together, cycles, reach, near changes."""
