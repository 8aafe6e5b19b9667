"""People and clips that never were, with the whole truth about them: for demo, training, tests.

A functional check, never evidence: these hearts obey the ratings by construction.
"""
