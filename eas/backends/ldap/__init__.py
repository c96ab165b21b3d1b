"""People out of an LDAP directory: the Global Address List, and checking passwords by a bind."""
