"""The groupware that comes with the gateway: users, folders, mail, calendars and address books in one SQL database."""
