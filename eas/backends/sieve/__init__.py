"""ManageSieve: a client, and the out-of-office reply as a script beside the user's own rules."""
