"""The groupware that a company already has, behind one user's ports: IMAP, SMTP, CalDAV, CardDAV, LDAP and Sieve,
joined with what the embedded groupware keeps for classes that no server is named for."""
