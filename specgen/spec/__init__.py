"""From YAML text to the model: documents, schema, SQL fragments, meaning."""
