"""Plotly figures of the Drift tab, one function a figure.

Promises: a row that failed is drawn as such; shares of rows are never summed over shifts, for each ends at
100 %. Leaves titles, captions and alt text to `views.drift_tab`.
"""

import math
from collections.abc import Sequence

import plotly.graph_objects as go

from records.drift import BreakingPoint, Decomposition, Scenario
from reports import words
from views.charts import GREY, SHOWN_FEATURES, finish, height_of, label

__all__ = [
    "alone_and_together",
    "breaking_points",
    "changed_share",
    "effect_on_output",
    "interacts",
    "mean_move",
    "psi_by_scenario",
    "ran",
    "scenario_names",
]  # fmt: skip

PAIR_HEIGHT = 44
SHOWN_PARTS = 10
FAILED = "#D9772B"
CHANGED = "#3B7DDD"
READABLE = 25.0  # per cent of the rows: a shorter part of a bar has no room for its figure
LEAST_PSI = 0.01  # drawn for all that is less: a logarithmic axis has no 0
PSI_TICKS = (0.1, 0.2, 1, 10, 100)
ADDS_UP = 0.01  # of the joint effect: what is left over below this is rounding, and no interaction


def scenario_names(scenarios: Sequence[Scenario]) -> list[str]:
    """With the feature where one stands beside the same shift of several: equal names share a bar."""
    names = [words.scenario(s.kind, s.magnitude) for s in scenarios]
    return [
        f"{name}, {label(s.features[0])}" if len(s.features) == 1 and names.count(name) > 1 else name
        for name, s in zip(names, scenarios, strict=True)
    ]


def ran(scenarios: Sequence[Scenario]) -> list[Scenario]:
    """Those that the model was asked about, also where it answered no row."""
    return [s for s in scenarios if s.changed_share is not None or s.failed_share > 0]


def changed_share(scenarios: Sequence[Scenario], limit: float) -> go.Figure:
    """Share of rows whose answer changed and, beside it, of those that got none, one bar a scenario."""
    shown = ran(scenarios)[::-1]
    names, failing = scenario_names(shown), any(s.failed_share for s in shown)
    figure = go.Figure()
    changed = [100 * (s.changed_share or 0) for s in shown]
    figure.add_bar(
        y=names, x=changed, name="Changed", orientation="h", marker={"color": CHANGED},
        text=[f"{share:.3g} %" if share >= READABLE or not failing else "" for share in changed],
        textposition="inside" if failing else "auto", textangle=0,
        hovertemplate="%{y}: %{x:.3~g} % changed<extra></extra>",
    )  # fmt: skip
    if failing:
        failed = [100 * s.failed_share for s in shown]
        figure.add_bar(
            y=names, x=failed, name="No answer", orientation="h",
            marker={"color": FAILED},
            text=[f"{share:.3g} %" if share >= READABLE else "" for share in failed], textposition="inside",
            textangle=0,
            hovertemplate="%{y}: %{x:.3~g} % got no answer<extra></extra>",
        )  # fmt: skip
    figure.add_vline(
        x=100 * limit, line={"color": GREY, "dash": "dash"}, annotation_text=f"{100 * limit:g} %",
        annotation_font_color=GREY, annotation_position="top",
    )  # fmt: skip
    figure.update_layout(barmode="stack")
    longest = max((c + 100 * s.failed_share for c, s in zip(changed, shown, strict=True)), default=0.0)
    figure.update_xaxes(title="Rows (%)", range=[0, min(105.0, max(1.15 * longest, 130 * limit))])
    finish(figure, height=height_of(len(shown), PAIR_HEIGHT), legend=failing)
    return figure.update_layout(legend={"x": 1, "xanchor": "right"})  # beside the line's own name


def mean_move(scenarios: Sequence[Scenario]) -> go.Figure:
    """How far an answer moved on average, in standard deviations of the answers, one bar a scenario."""
    shown = [s for s in scenarios if s.mean_move is not None][::-1]
    figure = go.Figure()
    figure.add_bar(
        y=scenario_names(shown), x=[s.mean_move for s in shown], orientation="h", marker={"color": CHANGED},
        text=[f"{s.mean_move:.3g}" for s in shown],
        hovertemplate="%{y}: %{x:.3~g} sd on average<extra></extra>",
    )  # fmt: skip
    figure.update_xaxes(title="Mean move (sd)", rangemode="tozero")
    return finish(figure, height=height_of(len(shown), PAIR_HEIGHT), legend=False)


def psi_by_scenario(scenarios: Sequence[Scenario], warn: float, fail: float) -> go.Figure:
    """Largest PSI of the inputs and that of the answers, a pair of dots a scenario on a logarithmic axis.

    So that the lines at `warn` and `fail` can be read beside a PSI of 9.
    """
    shown = [s for s in scenarios if s.input.psi is not None][::-1]
    names = scenario_names(shown)
    figure = go.Figure()
    told = {
        "Answers": [s.prediction.psi for s in shown],
        "Inputs": [s.input.psi for s in shown],
    }
    for name, *pair in zip(names, *told.values(), strict=True):
        ends = [max(psi, LEAST_PSI) for psi in pair if psi is not None]
        figure.add_scatter(
            x=ends, y=[name] * len(ends), mode="lines", line={"color": GREY, "width": 1.5},
            hoverinfo="skip", showlegend=False,
        )  # fmt: skip
    looks = (("circle", CHANGED), ("diamond-open", FAILED))
    for (title, values), (symbol, color) in zip(told.items(), looks, strict=True):
        known = [(n, psi) for n, psi in zip(names, values, strict=True) if psi is not None]
        figure.add_scatter(
            x=[max(psi, LEAST_PSI) for _, psi in known], y=[n for n, _ in known], name=title, mode="markers",
            marker={"size": 10, "symbol": symbol, "color": color, "line": {"width": 2}},
            customdata=[psi for _, psi in known],
            hovertemplate=f"%{{y}}: {title.lower()} PSI %{{customdata:.3~g}}<extra></extra>",
        )  # fmt: skip
    for value in (warn, fail):
        figure.add_vline(x=value, line={"color": GREY, "dash": "dash"})
    most = max((psi for values in told.values() for psi in values if psi is not None), default=1.0)
    marks = sorted({LEAST_PSI, warn, fail, *(mark for mark in PSI_TICKS[2:] if mark <= 2 * most)})
    marks = [mark for mark in marks if mark > 0]
    figure.update_xaxes(
        title="PSI (logarithmic)", type="log", tickvals=marks, tickangle=0,
        # The second line keeps 0.1 and 0.2 apart on a phone.
        ticktext=[
            f"≤ {mark:g}" if mark == LEAST_PSI else f"<br>{mark:g}" if mark == fail else f"{mark:g}"
            for mark in marks
        ],
        range=[math.log10(0.8 * LEAST_PSI), math.log10(1.3 * max(most, fail, 1.0))],
    )  # fmt: skip
    figure.update_yaxes(categoryorder="array", categoryarray=names)
    figure.update_layout(legend={"traceorder": "reversed"})
    return finish(figure, height=height_of(len(shown), PAIR_HEIGHT))


def breaking_points(points: Sequence[BreakingPoint], limit: float | None = None) -> go.Figure:
    """Distance in standard deviations at which a model breaks, with its interval and direction.

    limit: nearer than which a feature is warned of, or breaks the run's gate; drawn where there is one.
    """
    found = [p for p in points if p.magnitude is not None and p.kind == "mean_shift"]
    found = sorted(found, key=lambda p: abs(p.magnitude or 0))[:SHOWN_FEATURES][::-1]
    distances = [abs(p.magnitude or 0) for p in found]
    measured = [(abs(p.magnitude or 0), p.distances or (None, None)) for p in found]
    figure = go.Figure()
    figure.add_bar(
        y=[f"{label(p.feature)} {'↑' if (p.magnitude or 0) > 0 else '↓'} {d:.2g}"
           for d, p in zip(distances, found, strict=True)],
        x=distances, orientation="h", marker={"color": CHANGED},
        error_x={
            "type": "data", "symmetric": False, "color": GREY, "thickness": 1.5,
            "array": [max((d if far is None else far) - d, 0) for d, (_, far) in measured],
            "arrayminus": [max(d - (d if near is None else near), 0) for d, (near, _) in measured],
        },
        hovertemplate="%{y} breaks at %{x:.3~g} sd<extra></extra>",
    )  # fmt: skip
    if limit:
        figure.add_vline(
            x=limit, line={"color": GREY, "dash": "dash"}, annotation_text=f"limit {limit:g}",
            annotation_font_color=GREY, annotation_position="top",
        )  # fmt: skip
    figure.update_xaxes(title="Shift (standard deviations)", rangemode="tozero")
    return finish(figure, height=height_of(len(found)), legend=False)


def alone_and_together(parts: Decomposition) -> go.Figure:
    """Share of answers that each feature's shift changes alone, and all together; shares do not add up."""
    ranked = sorted(parts.singles, key=lambda s: -(s.changed_share or 0.0))[:SHOWN_PARTS]
    names = [*(label(s.feature) for s in ranked), "All together"]
    values = [100 * (v or 0.0) for v in (*(s.changed_share for s in ranked), parts.joint_changed_share)]
    figure = go.Figure()
    figure.add_bar(
        y=names, x=values, orientation="h", text=[f"{value:.3g} %" for value in values],
        marker={"color": [CHANGED] * len(ranked) + [GREY]},
        hovertemplate="%{y}: %{x:.3~g} %<extra></extra>",
    )  # fmt: skip
    figure.update_yaxes(autorange="reversed")
    figure.update_xaxes(title="Changed answers (%)", range=[0, 105])
    return finish(figure, height=height_of(len(names)), legend=False)


def effect_on_output(parts: Decomposition) -> go.Figure:
    """What each feature's shift does to the mean output, and all of them together.

    Numbers add up to the joint effect but for interaction, so that theirs are steps; probabilities end at 0
    and 1 and need not, so that theirs are bars beside each other.
    """
    ranked = sorted(parts.singles, key=lambda s: -abs(s.output_change or 0.0))
    names = [label(s.feature) for s in ranked[:SHOWN_PARTS]]
    steps = [s.output_change or 0.0 for s in ranked[:SHOWN_PARTS]]
    joint = parts.joint_output_change or 0.0
    figure = go.Figure()
    if parts.output == "answer":
        if rest := ranked[SHOWN_PARTS:]:
            names.append(f"{len(rest)} more")
            steps.append(sum(s.output_change or 0.0 for s in rest))
        if interacts(parts):
            names.append("Interaction")
            steps.append(parts.output_remainder or 0.0)
        figure.add_waterfall(
            orientation="h", y=[*names, "All together"], x=[*steps, 0],
            measure=[*["relative"] * len(steps), "total"], connector={"line": {"color": GREY, "width": 1}},
            totals={"marker": {"color": GREY}}, increasing={"marker": {"color": CHANGED}},
            decreasing={"marker": {"color": FAILED}}, text=[f"{step:.3g}" for step in (*steps, joint)],
            hovertemplate="%{y}: %{delta:.3~g}<extra></extra>",
        )  # fmt: skip
        title = "Change of the mean answer"
    else:
        values = [*steps, joint]
        signs = [CHANGED if value >= 0 else FAILED for value in steps]
        figure.add_bar(
            y=[*names, "All together"], x=values, orientation="h", marker={"color": [*signs, GREY]},
            text=[f"{value:.3g}" for value in values], hovertemplate="%{y}: %{x:.3~g}<extra></extra>",
        )  # fmt: skip
        figure.add_vline(x=0, line={"color": GREY, "width": 1})
        title = f"Change of the mean probability of {label(str(parts.output))}"
    figure.update_yaxes(autorange="reversed")
    figure.update_xaxes(title=title)
    return finish(figure, height=height_of(len(names) + 1), legend=False)


def interacts(parts: Decomposition) -> bool:
    """Whether numbers do together what they do not in sum, beyond rounding."""
    left, joint = abs(parts.output_remainder or 0.0), abs(parts.joint_output_change or 0.0)
    return parts.output == "answer" and left > ADDS_UP * max(joint, abs(parts.single_output_sum or 0.0))
