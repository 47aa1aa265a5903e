"""A whole history of a lead under one model, event by event or only where a stage could change."""
