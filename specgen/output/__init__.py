"""What is done with rendered files: write, check, diff."""
