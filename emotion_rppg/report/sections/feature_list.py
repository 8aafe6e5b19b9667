"""Report section with the features in a table: unit, definition, source, windows with a value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from emotion_rppg.emotion.design_matrix import feature_names
from emotion_rppg.features import column
from emotion_rppg.features.baseline_columns import VS_BASELINE
from emotion_rppg.report.page import Section
from emotion_rppg.windows import EMBEDDING

if TYPE_CHECKING:
    import pandas as pd

    from emotion_rppg.evaluation.result import Evaluation


def feature_list(results: Evaluation, table: pd.DataFrame) -> Section:
    """Tabulate the features that heads use, and name the columns that have no value at all."""
    import pandas as pd

    settings = results.settings
    names = feature_names(table, ablate=settings.ablate, extra_features=settings.extra_features)
    shares = {name: float(np.mean(table[name].notna())) for name in names}
    single = [name for name in names if not name.startswith(EMBEDDING) and shares[name]]
    rows = [_row(name, shares[name]) for name in single]
    embeddings = [name for name in names if name.startswith(EMBEDDING)]
    if embeddings:
        span = f"{embeddings[0]} … {embeddings[-1]}"
        rows.append(
            {
                "feature": span,
                "unit": "1",
                "definition": f"{len(embeddings)} dimensions of the beat encoder's embedding",
                "source": "",
                "windows": f"{shares[embeddings[0]]:.0%}",
            }
        )
    empty = [name for name in names if not shares[name]]
    text = []
    if empty:
        text.append(
            f"Not used, because no window has a value (most need longer windows): "
            f"{', '.join(empty)}."
        )
    caption = (
        "Features of a window, before imputation and scaling. windows: share of all windows with a "
        "value."
    )
    shown = pd.DataFrame(rows, columns=["feature", "unit", "definition", "source", "windows"])
    return Section("Features", text, table=shown, table_caption=caption)


def _row(name: str, share: float) -> dict[str, Any]:
    record = column(name)
    definition = "column of the table, named in --extra-features" if record is None else ""
    if record is not None:
        raw = name.removesuffix(VS_BASELINE)
        definition = record.definition if raw == name else f"{raw}, difference from the baseline"
    return {
        "feature": name,
        "unit": "" if record is None else record.unit,
        "definition": definition,
        "source": "" if record is None else record.source,
        "windows": f"{share:.0%}",
    }
