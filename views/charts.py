"""Plotly figures of a report's parts, one function a figure.

Promises: no color of their own but a mid-grey for reference lines, so that light and dark both read;
names from files are escaped. Leaves titles, captions and alt text to the pages.
"""

import html
from collections.abc import Mapping, Sequence
from datetime import datetime

import numpy as np
import plotly.graph_objects as go

from records.explanation import Explanation, ShiftExplanation
from records.metrics import Accuracy, ConcurrencyRow, LatencyRow

__all__ = [
    "attribution_dots",
    "callers",
    "compared",
    "confusion",
    "dependence",
    "finish",
    "height_of",
    "importance",
    "label",
    "latency",
    "throughput",
    "waterfall",
]

GREY = "#8A94A3"  # 3 to 1 on white and on the dark background alike
LONGEST_LABEL = 26
ROW_HEIGHT = 30
SHOWN_FEATURES = 15


def latency(rows: Sequence[LatencyRow], limit_ms: float | None = None) -> go.Figure:
    """Milliseconds a call at p50, p95 and p99 by batch size; the limit is for single rows."""
    figure = go.Figure()
    sizes = [f"{row.batch_size:,}" for row in rows]
    for name, dash in (("p50", "solid"), ("p95", "solid"), ("p99", "dot")):
        figure.add_scatter(
            x=sizes, y=[getattr(row, f"{name}_ms") for row in rows], name=name, mode="lines+markers",
            line={"dash": dash}, hovertemplate=f"{name} %{{y:.3~g}} ms<br>batch of %{{x}}<extra></extra>",
            error_y=None if name == "p99" else _whiskers(rows, name),
        )  # fmt: skip
    if limit_ms is not None:
        _reference(figure, limit_ms, f"single-row p95 limit {limit_ms:g} ms")
    figure.update_xaxes(title="Rows in a batch", type="category")
    figure.update_yaxes(title="Latency (ms a call)", rangemode="tozero")
    return finish(figure)


def callers(rows: Sequence[ConcurrencyRow]) -> go.Figure:
    """Milliseconds a call at p50 and p95 by the number of processes that call at the same time."""
    figure = go.Figure()
    for name in ("p50", "p95"):
        figure.add_scatter(
            x=[str(row.callers) for row in rows], y=[getattr(row, f"{name}_ms") for row in rows], name=name,
            mode="lines+markers", error_y=_whiskers(rows, name),
            hovertemplate=f"{name} %{{y:.3~g}} ms<br>%{{x}} callers<extra></extra>",
        )  # fmt: skip
    figure.update_xaxes(title="Callers at the same time", type="category")
    figure.update_yaxes(title="Latency (ms a call)", rangemode="tozero")
    return finish(figure)


def _whiskers(rows: Sequence[LatencyRow] | Sequence[ConcurrencyRow], name: str) -> dict[str, object]:
    """Error bars of a percentile; an end that is not known has none."""
    above, below = [], []
    for row in rows:
        value, (low, high) = getattr(row, f"{name}_ms"), getattr(row, f"{name}_interval") or (None, None)
        above.append(0.0 if high is None else max(0.0, high - value))
        below.append(0.0 if low is None else max(0.0, value - low))
    return {"array": above, "arrayminus": below, "thickness": 1, "width": 3}


def throughput(rows: Sequence[LatencyRow]) -> go.Figure:
    """Rows a second at the median, by batch size."""
    figure = go.Figure()
    figure.add_bar(
        x=[f"{row.batch_size:,}" for row in rows], y=[row.rows_per_s for row in rows],
        hovertemplate="%{y:,.3~s} rows/s<br>batch of %{x}<extra></extra>",
    )  # fmt: skip
    figure.update_xaxes(title="Rows in a batch", type="category")
    figure.update_yaxes(title="Rows per second", tickformat="~s", type="log", dtick=1)
    return finish(figure, legend=False)


def importance(explanation: Explanation) -> go.Figure:
    """Mean absolute attribution, largest on top, with its sampling error where there is one."""
    ranked = sorted(explanation.importance, key=lambda i: -i.mean_abs)[:SHOWN_FEATURES][::-1]
    errors = [i.std_error for i in ranked]
    figure = go.Figure()
    figure.add_bar(
        y=[label(i.feature) for i in ranked], x=[i.mean_abs for i in ranked], orientation="h",
        error_x={"type": "data", "array": [e or 0 for e in errors], "color": GREY, "thickness": 1.5,
                 "visible": any(e is not None for e in errors)},
        hovertemplate="%{y}: %{x:.3~g}<extra></extra>",
    )  # fmt: skip
    figure.update_xaxes(title=f"Mean absolute attribution ({label(explanation.output)})")
    return finish(figure, height=height_of(len(ranked)), legend=False)


def shuffled(explanation: Explanation) -> go.Figure:
    """Share of answers that change when a column is shuffled, in the order of the importance."""
    told = [item for item in explanation.importance if item.shuffled_change is not None]
    ranked = sorted(told, key=lambda item: -(item.shuffled_change or 0.0))[:SHOWN_FEATURES][::-1]
    figure = go.Figure()
    figure.add_bar(
        y=[label(item.feature) for item in ranked], x=[item.shuffled_change for item in ranked],
        orientation="h", hovertemplate="%{y}: %{x:.1%}<extra></extra>",
    )  # fmt: skip
    figure.update_xaxes(title="Share of answers that change", tickformat=".0%", rangemode="tozero")
    return finish(figure, height=height_of(len(ranked)), legend=False)


def shift(found: ShiftExplanation) -> go.Figure:
    """Each feature's part of the change of the mean output, the largest on top."""
    ranked = list(found.features[:SHOWN_FEATURES])[::-1]
    figure = go.Figure()
    figure.add_bar(
        y=[label(item.feature) for item in ranked], x=[item.change for item in ranked], orientation="h",
        hovertemplate="%{y}: %{x:.3~g}<extra></extra>",
    )  # fmt: skip
    figure.add_vline(x=0, line={"color": GREY, "width": 1})
    figure.update_xaxes(title=f"Part of the change of the mean {label(found.output)}")
    return finish(figure, height=height_of(len(ranked)), legend=False)


def signed_bars(names: Sequence[str], values: Sequence[float], title: str) -> go.Figure:
    """Effects by name, the first at the bottom; raising ones and lowering ones in two colours."""
    figure = go.Figure()
    figure.add_bar(
        y=[label(name) for name in names], x=list(values), orientation="h",
        marker={"color": ["#3B7DDD" if value >= 0 else "#D9772B" for value in values]},
        hovertemplate="%{y}: %{x:.3~g}<extra></extra>",
    )  # fmt: skip
    figure.add_vline(x=0, line={"color": GREY, "width": 1})
    figure.update_xaxes(title=label(title, 60))
    return finish(figure, height=height_of(len(names)), legend=False)


def attribution_dots(explanation: Explanation, output: int) -> go.Figure:
    """One dot a row and feature: attribution across, the feature's own value as color."""
    values, ranked = _attributions(explanation, output), _ranking(explanation)
    rng = np.random.default_rng(0)  # jitter only; the same picture at every visit
    figure = go.Figure()
    for place, column in enumerate(ranked[::-1]):
        tint = _between_0_and_1([row[column] for row in explanation.feature_values])
        figure.add_scatter(
            x=values[:, column], y=place + rng.uniform(-0.28, 0.28, len(values)), mode="markers",
            marker={"color": tint, "cmin": 0, "cmax": 1, "size": 5, "opacity": 0.8, "coloraxis": "coloraxis"},
            customdata=[label(str(row[column])) for row in explanation.feature_values],
            hovertemplate=f"{label(explanation.features[column])} = %{{customdata}}"
            "<br>attribution %{x:.3~g}<extra></extra>",
        )  # fmt: skip
    names = [label(explanation.features[column]) for column in ranked[::-1]]
    figure.add_vline(x=0, line={"color": GREY, "width": 1})
    figure.update_yaxes(tickvals=list(range(len(names))), ticktext=names, showgrid=False)
    figure.update_xaxes(title="Attribution")
    figure.update_layout(coloraxis=_value_axis())
    return finish(figure, height=height_of(len(names)), legend=False)


def waterfall(explanation: Explanation, row: int, output: int) -> go.Figure:
    """From the base value to one row's explained output, a step a feature; small ones together."""
    values = _attributions(explanation, output)[row]
    order = np.argsort(-np.abs(values))
    shown, rest = order[:10], order[10:]
    given = explanation.feature_values[row]
    names = [label(f"{explanation.features[i]} = {_value(given[i])}", 34) for i in shown]
    steps = [float(values[i]) for i in shown]
    if len(rest):
        names.append(f"{len(rest)} more")
        steps.append(float(values[rest].sum()))
    base = explanation.base_values[output]
    figure = go.Figure()
    figure.add_waterfall(
        orientation="h", y=["Base value", *names, "Output"], x=[base, *steps, 0],
        measure=["absolute", *["relative"] * len(steps), "total"],
        connector={"line": {"color": GREY, "width": 1}}, totals={"marker": {"color": GREY}},
        increasing={"marker": {"color": "#3B7DDD"}}, decreasing={"marker": {"color": "#D9772B"}},
        hovertemplate="%{y}<br>%{delta:.3~g}<extra></extra>",
    )  # fmt: skip
    figure.update_yaxes(autorange="reversed")
    figure.update_xaxes(title=label(explanation.output))
    return finish(figure, height=height_of(len(steps) + 2), legend=False)


def dependence(explanation: Explanation, feature: int, output: int) -> go.Figure:
    """Attribution of one feature against its value, a dot a row."""
    given = [row[feature] for row in explanation.feature_values]
    figure = go.Figure()
    figure.add_scatter(
        x=[label(v) if isinstance(v, str) else v for v in given],
        y=_attributions(explanation, output)[:, feature],
        mode="markers", marker={"size": 7, "opacity": 0.75},
        hovertemplate="value %{x:.4~g}<br>attribution %{y:.3~g}<extra></extra>",
    )  # fmt: skip
    figure.add_hline(y=0, line={"color": GREY, "width": 1})
    figure.update_xaxes(title=label(explanation.features[feature], 40))
    figure.update_yaxes(title="Attribution")
    return finish(figure, legend=False)


def confusion(accuracy: Accuracy) -> go.Figure:
    """Counts of true against predicted class."""
    labels = [label(name) for name in accuracy.labels]
    figure = go.Figure()
    figure.add_heatmap(
        z=accuracy.confusion, x=labels, y=labels, texttemplate="%{z}", showscale=False, xgap=2, ygap=2,
        hovertemplate="true %{y}, predicted %{x}: %{z} rows<extra></extra>",
    )  # fmt: skip
    figure.update_xaxes(title="Predicted", type="category")
    figure.update_yaxes(title="True", type="category", autorange="reversed")
    return finish(figure, height=max(260, 90 + 34 * len(labels)), legend=False)


def compared(values: Mapping[str, float | None], axis: str, percent: bool = False) -> go.Figure:
    """One bar a run, of one figure."""
    figure = go.Figure()
    names = [label(name, 34) for name in values]
    scale = 100 if percent else 1
    figure.add_bar(
        y=names[::-1], x=[None if v is None else v * scale for v in values.values()][::-1], orientation="h",
        texttemplate="%{x:.3~g}", hovertemplate="%{y}: %{x:.3~g}<extra></extra>",
    )  # fmt: skip
    figure.update_xaxes(title=axis, rangemode="tozero")
    return finish(figure, height=height_of(len(names)), legend=False)


def trend(
    points: Sequence[tuple[datetime, float | None, str, str]], axis: str, lines: Sequence[tuple[float, str]]
) -> go.Figure:
    """A figure from run to run: (when, value, version, run's name), with lines at gates and baseline."""
    figure = go.Figure()
    known = [point for point in points if point[1] is not None]
    figure.add_scatter(
        x=[p[0] for p in known], y=[p[1] for p in known], mode="lines", hoverinfo="skip", showlegend=False,
        line={"color": GREY, "width": 1},
    )  # fmt: skip
    for version in dict.fromkeys(point[2] for point in known):
        of = [point for point in known if point[2] == version]
        figure.add_scatter(
            x=[p[0] for p in of], y=[p[1] for p in of], mode="markers", name=version, marker={"size": 8},
            customdata=[label(p[3], 40) for p in of],
            hovertemplate="%{customdata}<br>%{x|%d %b %H:%M}: %{y:.3~g}<extra>" + version + "</extra>",
        )  # fmt: skip
    for value, text in lines:
        _reference(figure, value, text)
    figure.update_yaxes(title=axis)
    return finish(figure, legend=len({point[2] for point in known}) <= 10)


def _reference(figure: go.Figure, value: float, text: str) -> None:
    figure.add_hline(
        y=value, line={"color": GREY, "dash": "dash"}, annotation_text=text, annotation_font_color=GREY
    )


def finish(figure: go.Figure, height: int = 320, legend: bool = True) -> go.Figure:
    """The figure with the margins, legend and height that all have."""
    figure.update_layout(
        height=height, showlegend=legend, margin={"l": 8, "r": 12, "t": 28, "b": 8}, bargap=0.35,
        hoverlabel={"namelength": -1}, dragmode=False,
    )  # fmt: skip
    if legend:
        figure.update_layout(
            legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0, "title": None}
        )
    figure.update_xaxes(automargin=True)
    figure.update_yaxes(automargin=True)
    return figure


def height_of(bars: int, each: int = ROW_HEIGHT) -> int:
    """Pixels of a chart of so many horizontal bars."""
    return max(200, 96 + each * bars)


def label(text: str, longest: int = LONGEST_LABEL) -> str:
    """Plotly reads a few HTML tags in labels; a name must not be one."""
    flat = " ".join(str(text).split())
    flat = flat if len(flat) <= longest else flat[: longest - 1] + "…"
    return html.escape(flat, quote=False)


def _value(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _attributions(explanation: Explanation, output: int) -> np.ndarray:
    """Rows x features of one output."""
    values = np.asarray(explanation.shap_values, dtype=np.float64)
    return values if values.ndim == 2 else values[:, :, output]


def _ranking(explanation: Explanation) -> list[int]:
    place = {name: i for i, name in enumerate(explanation.features)}
    ranked = sorted(explanation.importance, key=lambda i: -i.mean_abs)
    return [place[i.feature] for i in ranked if i.feature in place][:SHOWN_FEATURES]


def _between_0_and_1(values: Sequence[object]) -> np.ndarray:
    """The values' ranks as 0 to 1; text is ranked by the alphabet, what is missing sits in the middle."""
    text = [v for v in values if isinstance(v, str)]
    codes = {name: float(i) for i, name in enumerate(sorted(set(text)))}
    raw = [codes[v] if isinstance(v, str) else float("nan") if v is None else float(v) for v in values]  # type: ignore[arg-type]
    numbers = np.asarray(raw, dtype=np.float64)
    known = numbers[np.isfinite(numbers)]
    if len(known) == 0:
        return np.full(len(numbers), 0.5)
    low, high = np.quantile(known, [0.02, 0.98])
    if high <= low:
        return np.full(len(numbers), 0.5)
    return np.nan_to_num(np.clip((numbers - low) / (high - low), 0, 1), nan=0.5)


def _value_axis() -> dict[str, object]:
    """Low to high in two hues that read on light and on dark."""
    return {
        "colorscale": [[0, "#3B7DDD"], [0.5, "#A79BB5"], [1, "#D9772B"]],
        "cmin": 0, "cmax": 1,
        "colorbar": {"orientation": "h", "x": 1, "xanchor": "right", "y": 1, "yanchor": "bottom",
                     "tickvals": [0, 1], "ticktext": ["low value", "high"], "ticklabelposition": "outside",
                     "thickness": 8, "len": 0.35, "outlinewidth": 0},
    }  # fmt: skip
