"""Apache Kafka and PostgreSQL on this machine, as children of ours: no root, no Docker, nothing installed."""
