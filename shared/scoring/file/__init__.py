"""scoring.yaml → a model, or every mistake in it with its line."""
