"""Sessions of devices as text: recorded, read, masked, imported, played back and compared. docs/sessions.md.

A session file is a head and a row of exchanges (`model`); `reading` and `writing` stream it one exchange at a time, so
that nothing here holds a whole session. `body` and `document` say how the bytes of a message are shown and rebuilt.
"""
