"""CalDAV and CardDAV: a client, collections as sources of folders and feeds, scheduling."""
