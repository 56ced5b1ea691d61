"""Operations of several steps, relations and functions, on a real server."""
