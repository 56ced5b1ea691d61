"""docs/language.md and the schemas that editors read, both made from the JSON Schemas in specgen/spec."""
