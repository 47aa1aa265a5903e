"""What several services share: the vocabulary of events and the plumbing around it."""
