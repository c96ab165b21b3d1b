"""A recording reverse proxy in front of any ActiveSync server. docs/sessions.md, docs/decisions/039-proxy.md.

`forwarding` passes requests on and answers back as they come; `rewriting` keeps clients at the proxy where a server
tells its own address; `recording` writes down what was said; `certificate` makes one for the spot; `running` joins
them.
"""
