"""Run the command line with `python -m emotion_rppg.cli`."""

from emotion_rppg.cli import main

main()
