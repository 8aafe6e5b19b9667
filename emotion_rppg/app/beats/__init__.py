"""The page on which a person corrects detected beats: `emotion-rppg beats FILE`."""
