"""The form of a session file: exchanges as values, read and written as text, byte for byte. docs/sessions.md."""
