"""What other programs record, as sessions: one file per format, each a generator of exchanges. docs/sessions.md.

`formats` is the table of them. A reader gets a `Source` and a `Tally`, and gives exchanges in the order in which they
began; nobody has to number them. What a record lacks is said in its comments and counted in the tally; a broken record
is passed over and counted. Of exceptions only SessionError leaves a reader.
"""
