"""Real servers on loopback, for tests: what they are, how they are started and ended. See README.md."""
