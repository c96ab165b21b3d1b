"""A session played against any server, with all that the server chose bound anew."""
