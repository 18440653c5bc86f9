"""Desired state: spec in, object out; nothing here reads or writes anything."""
