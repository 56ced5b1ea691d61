"""The reference pages and the schemas that editors read, made from what the program itself knows."""
