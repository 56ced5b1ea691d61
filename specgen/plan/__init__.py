"""From the model to named SQL objects, in load order, with every name and type decided."""
