"""The self-check and the doctor: every room is looked at as it is on this machine.

Nothing is imported here that may be missing: the doctor must be able to say so.
"""
