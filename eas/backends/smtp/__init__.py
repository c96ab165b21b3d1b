"""SMTP submission: the exchange with a server, and the outbox of users whose mail goes out there."""
