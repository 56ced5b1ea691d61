"""From the plan to SQL text."""
