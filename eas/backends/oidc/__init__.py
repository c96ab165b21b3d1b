"""An OpenID Connect provider: whom its tokens name, and its side of a login in a browser."""
