"""The pages: /admin for staff, /my for owners of phones, and JSON over HTTP at /api/v1.

`application` joins them; each area is a module with its `PAGES`, every one of which says what permission it takes.
`visits` is the frame around a request: who asks, and that no other site made the browser ask. Nothing here decides or
changes anything: pages call the actions of `eas.admin`, as the command line does.
"""
