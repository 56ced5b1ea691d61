"""The ranges that users get: do their lowest and their newest versions work, and if not, which one breaks."""
