"""An attack on specgen: random databases, operations and disturbances, judged row by row."""
