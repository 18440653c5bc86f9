"""The charts, and what keeps their generated parts fresh."""
