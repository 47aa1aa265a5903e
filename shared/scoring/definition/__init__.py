"""What a scoring model says, as values: rules, stages, conditions, and where conditions look."""
