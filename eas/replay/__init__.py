"""Sessions of devices as text: recorded, read, masked, imported, played back and compared. docs/sessions.md.

    format      a session file: a head and a row of exchanges, read and written one at a time, so that nothing in any of
                these holds a whole session
    recording   taken down in the running gateway            proxy      or on the way to any other server
    importing   made of what other programs wrote            masking    without what is private
    showing     in words and in numbers                      explain    what went wrong
    comparing   two answers, or two sessions; reports        playing    against any server, or as a load test
    preparing   a mailbox as a session takes it for granted  testing    a session as a small regression test
"""
