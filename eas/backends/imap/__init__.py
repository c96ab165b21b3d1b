"""IMAP4rev1: a client that follows what a server offers, and mailboxes as sources of folders and feeds."""
