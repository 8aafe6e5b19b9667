"""The command line: each verb parses its arguments, calls the package and prints the result.

Heavy libraries are imported inside the verbs, so that `--help` answers at once.
"""

from emotion_rppg.cli import (  # noqa: F401, I001 (order of --help)
    system,
    inspect,
    pulse,
    extract,
    beats,
    evaluate,
    figure,
    train,
    export,
    live,
    record,
    interactive,
)
from emotion_rppg.cli.console import print_any_text
from emotion_rppg.cli.verbs import app
from emotion_rppg.runtime.threads import prepare_process


def main() -> None:
    """Run the verb that the command line names."""
    import gc

    prepare_process()
    print_any_text()
    # torch and SciPy create a million long-lived objects at import. Collecting garbage after every
    # 700 new objects would scan them again and again, a twentieth of the time of a short verb.
    gc.set_threshold(50_000, 20, 50)
    try:
        app()
    finally:
        # Without this, Python scans all of them several times more while the process ends.
        gc.freeze()
