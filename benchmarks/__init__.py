"""What is measured against the project's bars and limits: ``make bench``."""
