"""What operators see of events and do about them.

The operator API, the console and the command line call the same functions: `EventOperations` on a
store, or a client of the operator API with the same methods (`Operations`). Values are dictionaries
in the form in which the operator API answers them.
"""
