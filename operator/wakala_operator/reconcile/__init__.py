"""The passes over services: when they run, and what one of them does from reading to reporting."""
