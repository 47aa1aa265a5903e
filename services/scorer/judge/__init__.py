"""Did a person do this? One event by itself, and several events of one person together."""
