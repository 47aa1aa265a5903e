"""The job of the scorer, written with other people's tools: what its figures stand beside."""
