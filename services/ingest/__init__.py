"""HTTP in, Kafka out. Takes what websites, forms, e-mail providers and products send; has no database."""
