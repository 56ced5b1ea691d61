"""Files of records: read line by line, and loaded into an operation without ever being held whole."""
