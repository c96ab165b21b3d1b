"""A session as a regression test, made as small as the difference allows."""
