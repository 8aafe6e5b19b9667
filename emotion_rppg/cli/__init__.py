"""The command line: each verb parses its arguments, calls the package and prints. No computation.

Heavy imports stand inside the verbs, so that `--help` answers at once.
"""

from emotion_rppg.cli import system, extract, evaluate, train, interactive  # noqa: F401, I001 (order of --help)
from emotion_rppg.cli.verbs import app


def main() -> None:
    """The console script."""
    import gc

    # torch and SciPy make a million objects that stay while they load: looking through those for
    # garbage at every 700 new ones costs a twentieth of a short verb
    gc.set_threshold(50_000, 20, 50)
    try:
        app()
    finally:
        # the process ends: without this Python looks through all that torch and SciPy have made
        # for garbage, several times
        gc.freeze()
