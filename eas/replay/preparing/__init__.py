"""A mailbox brought into the state that a session takes for granted."""
