"""Measurements of the operator: beside one on controller-runtime, at rest, and where its time goes. See README.md."""
