"""The operator's container images, built with Docker or without."""
