"""The operator: observe (read), decide (pure), act (write), report."""
