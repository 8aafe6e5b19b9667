"""Generate synthetic people, waves, faces and clips with known truth, for demo, training and tests.

They check that the software works and are no evidence about emotion: these hearts follow the
ratings by construction.
"""
