"""The demo office: Nordhang Joinery, eight invented people at example.test, three of whom can log in.

`office.build(now)` makes all of it as plain values, the same ones for the same `now`; `eas.admin.demo` puts them into a
store. Dates are relative to `now`, so that there is always mail of this morning and a meeting this afternoon.
"""
