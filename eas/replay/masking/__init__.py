"""What is private in sessions: passwords, which never get into a file, and names and contents, which `eas session mask`
replaces by made-up ones of the same shape. docs/sessions.md, Masking.

`secrets` takes passwords out; `masker` is the whole of an exchange; `manners` says for every tag what becomes of it;
`words` makes the pseudonyms; `scanning` walks text formats without parsing them, so that malformed ones are masked,
too; `findings` looks for what may be left.
"""
