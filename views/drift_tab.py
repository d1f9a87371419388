"""The Drift tab of a run: simulated shifts, breaking points, a joint shift taken apart, columns."""

from collections.abc import Sequence
from typing import Any

import streamlit as st

from records.drift import (
    PSI_SEEN,
    BreakingPoint,
    ColumnDrift,
    Decomposition,
    DriftAnalysis,
    DriftPlan,
    judgement,
    seen_by,
)
from records.run import RunReport
from records.thresholds import (
    TOLERATED,
    MonitoringThreshold,
    enough_in_words,
    monitoring_thresholds,
    rate_of,
    to_watch,
    why_unusable,
)
from reports import words
from views import components as ui
from views import drift_charts as charts

__all__ = ["column_table", "render"]


def render(services: Any, report: RunReport) -> None:
    drift = ui.section_value(report.drift, "Drift")
    if drift is None:
        return
    for told in (drift.unjudged, drift.reservation):
        if told:
            st.info(ui.said(told), icon=":material/info:")
    warn, fail = services.settings.psi_warn, services.settings.psi_fail
    plan, shown = report.plan, charts.ran(drift.scenarios)
    if shown:
        moves = any(s.mean_move is not None for s in shown)
        with st.grid(3 if moves else 2, min_column_width=320, gap="small"):
            ui.chart(
                "Flip rate: share of answers that change, by simulated shift",
                charts.changed_share(drift.scenarios, plan.drift.changed_limit),
                note=f"{ui.count(plan.rows, 'generated row')}, {_on_what(plan.drift)}. {_broken(report)}",
                key="changed_share", alt="Share of changed answers, one bar for each simulated shift",
            )  # fmt: skip
            if moves:
                ui.chart(
                    "Mean move: how far the answers move", charts.mean_move(drift.scenarios),
                    note="On average, from what each answer was, in standard deviations of the answers",
                    key="mean_move", alt="Mean move of the answers, one bar for each simulated shift",
                )  # fmt: skip
            ui.chart(
                "PSI of the inputs and of the answers", charts.psi_by_scenario(drift.scenarios, warn, fail),
                note=f"Largest over the columns; lines at {warn:g} (moderate) and {fail:g} (major). "
                "Rows without an answer are in no PSI",
                key="psi", alt="Population stability index of inputs and answers for each simulated shift",
            )  # fmt: skip
    _skipped(drift)
    _visibility(drift)
    _breaking_points(drift, report)
    if drift.decomposition is not None:
        _decomposition(drift.decomposition)
    _columns(drift)
    for note in drift.notes:
        st.caption(ui.plain(note))


def _skipped(drift: DriftAnalysis) -> None:
    for scenario in drift.scenarios:
        if scenario.changed_share is None:
            name = words.scenario(scenario.kind, scenario.magnitude)
            if len(scenario.features) == 1:
                name += f", {ui.plain(scenario.features[0])}"
            st.caption(f"{name}: not simulated. {ui.plain(scenario.reason or '')}")


def _visibility(drift: DriftAnalysis) -> None:
    """What a monitor would see of each shift; where the plan asked for it."""
    looked_at = [s for s in drift.scenarios if s.domain is not None]
    if not looked_at:
        return
    st.subheader("Can a monitor see it?")
    st.caption(
        "A classifier tells shifted rows from others: AUC 0.5 is guessing, 1 is certain. A single column "
        f"shows a shift from a PSI of {PSI_SEEN:g} on, the whole table from an interval above 0.5 on."
    )
    st.dataframe(
        {
            "Shift": charts.scenario_names(looked_at),
            "Shown by": [seen_by(s) for s in looked_at],
            "Largest PSI of a column": [ui.number(s.input.psi) for s in looked_at],
            "AUC, whole table": [ui.number(s.domain.auc) for s in looked_at],
            "Its 95 % interval": [_range(s.domain.interval, "") for s in looked_at],
            "Changed answers": [ui.share(s.changed_share) for s in looked_at],
        },
        hide_index=True,
        column_config={"Shift": st.column_config.TextColumn(pinned=True)},
        alt="What single columns and a classifier show of each simulated shift",
    )
    rows = looked_at[0].domain
    st.caption(f"On {ui.count(rows.rows_reference, 'row')} and as many that are shifted.")


def _broken(report: RunReport) -> str:
    """Which line is judged, and where: of the scenarios' own shares only a gate judges the largest."""
    gate, limit = report.plan.gates.max_changed_share, report.plan.drift.changed_limit
    if gate is not None:
        return f"The run's gate: at most {ui.share(gate)} in any of them"
    nearest = next((c for c in report.checks if c.id == "drift_breaking_point"), None)
    if nearest is None or nearest.status not in ("pass", "warn", "fail"):
        return f"Beyond {ui.share(limit)} a shift counts as breaking the model"
    return (
        f"Judged is how near a single feature crosses {ui.share(limit)}: "
        f"at least {ui.number(nearest.threshold, 'sd')} are asked for"
    )


def _breaking_points(drift: DriftAnalysis, report: RunReport) -> None:
    found, plan = drift.found_points, report.plan.drift
    steady = [p for p in drift.breaking_points if p.magnitude is None and not p.not_searched]
    judged = next((c for c in report.checks if c.id == "drift_breaking_point"), None)
    if any(p.kind == "mean_shift" for p in found):
        breaks = f"the shift that changes more than {plan.changed_limit * 100:g} % of answers"
        if plan.score_limit is not None:
            breaks += f" or costs more than {plan.score_limit:g} of the score"
        ui.chart(
            f"Breaking point of each feature: {breaks}",
            charts.breaking_points(drift.breaking_points, judged.threshold if judged else None),
            note="One feature shifted at a time, up and down, the nearer one shown; "
            f"the line spans the {'95 %' if found[0].rows else 'search'} interval",
            key="breaking", alt="Smallest shift in standard deviations that breaks the model, by feature",
        )  # fmt: skip
    if found and found[0].rows:
        _breaking_table(found, report)
    if any(p.kind == "mean_shift" and not why_unusable(p, drift.false_alarms) for p in found):
        _false_alarms(drift)
    if steady:
        _steady(steady)


def _steady(steady: list[BreakingPoint]) -> None:
    """What did not break: features by the shift of their mean, texts by each kind of change."""
    numbers = [p for p in steady if p.kind == "mean_shift"]
    if numbers:
        names = ", ".join(ui.plain(p.feature) for p in numbers[:8])
        names += " and more" if len(numbers) > 8 else ""
        furthest = ui.number(min(p.searched_to for p in numbers), "sd")
        st.caption(f"{ui.count(len(numbers), 'feature')} did not break up to {furthest}: {names}.")
    for point in steady:
        if point.kind != "mean_shift":
            furthest = f"{ui.share(point.searched_to)} {words.in_texts(point.kind)}"
            st.caption(f"{ui.plain(point.feature)} did not break up to {furthest}.")


def _breaking_table(found: Sequence[BreakingPoint], report: RunReport) -> None:
    drift = report.drift.value or DriftAnalysis(scenarios=())
    file = monitoring_thresholds(drift, report.plan.drift, report.model.sha256)
    alerts = {alert.feature: alert for alert in file.thresholds}
    told = [alerts.get(p.feature) if p.kind == "mean_shift" else None for p in found]
    unusable = sum(alert is not None and not alert.usable for alert in told)
    by = {"changed_answers": "changed answers", "score": "score", None: ui.NONE}
    st.dataframe(
        {
            "Feature": [p.feature for p in found],
            "Direction": [
                p.direction or (ui.NONE if p.kind == "mean_shift" else words.in_texts(p.kind)) for p in found
            ],
            "Shift": [_size(abs(p.magnitude or 0.0), words.breaking_unit(p)) for p in found],
            "95 % interval": [_range(p.distances, words.breaking_unit(p)) for p in found],
            "In its unit": [ui.number(p.shift) for p in found],
            "PSI there": [ui.number(p.psi) for p in found],
            "Alert threshold (PSI)": [
                ui.number(p.psi_interval[0] if p.psi_interval else None) for p in found
            ],
            "Usable": [
                ui.NONE if alert is None else "yes" if alert.usable else f"no: {alert.reason}"
                for alert in told
            ],
            **({"Instead, a move of the mean by": [_instead(alert) for alert in told]} if unusable else {}),
            "Broken by": [by[p.by] for p in found],
        },
        hide_index=True,
        column_config={
            "Feature": st.column_config.TextColumn(pinned=True),
            "Usable": st.column_config.TextColumn(width="medium"),
            "Alert threshold (PSI)": st.column_config.TextColumn(
                help="The PSI at the nearer end of the interval: below it the model most likely holds"
            ),
        },
        alt="Breaking points with their intervals, nearest first",
    )
    kept = ""
    if any(p.kind == "mean_shift" for p in found):
        kept = " Downloads has those of numbers as thresholds.json, to set up a monitor for this model."
        if unusable:
            kept += f" {unusable} of {len(alerts)} alert thresholds cannot be used: watch the means instead."
    of_words = " Shifts of texts are shares of their words." if words.of_texts(found) else ""
    st.caption(f"Measured on {ui.count(found[0].rows, 'row')}.{of_words}{kept}")


def _instead(alert: MonitoringThreshold | None) -> str:
    """`0.15 sd, from 170 rows`: what can be watched where the PSI cannot."""
    if alert is None or alert.instead is None:
        return ui.NONE
    rows = alert.instead.batch_rows
    enough = "in more than a million rows" if rows is None else f"in {ui.count(rows, 'row')} or more"
    return f"{ui.number(alert.instead.mean_shift_std, 'sd')}, {enough}"


def _false_alarms(drift: DriftAnalysis) -> None:
    """How often the PSIs to watch are reached by chance, the more often the smaller the batch."""
    alarms = drift.false_alarms
    if not alarms:
        return
    if alarms[0].any_column <= TOLERATED:
        st.caption(
            "False alarms: chance alone reaches any of these thresholds in "
            f"{ui.share(alarms[0].any_column)} of batches of {alarms[0].rows_current:,} rows, "
            "and less often in larger ones."
        )
        return
    st.markdown("**False alarms of these thresholds**")
    st.caption(
        "Share of batches without drift whose PSI reaches the alert threshold: chance alone moves a small "
        f"batch. Batches of the rows under “Enough” raise at most {TOLERATED * 100:g} % false alarms."
    )
    features: list[str | None] = [None, *to_watch(drift.breaking_points)]
    st.dataframe(
        {
            "Feature": ["Any that is usable", *(f for f in features if f is not None)],
            "Enough": [enough_in_words(alarms, f) for f in features],
            **{f"{a.rows_current:,} rows": [ui.share(rate_of(a, f)) for f in features] for a in alarms},
        },
        hide_index=True,
        column_config={"Feature": st.column_config.TextColumn(pinned=True)},
        alt="False alarms by feature and size of the batch",
    )
    st.caption(
        f"Each size was drawn {ui.count(alarms[0].rounds, 'time')} from the generated rows and compared with "
        "the rows left."
    )


def _range(distances: tuple[float | None, float | None] | None, unit: str) -> str:
    if distances is None:
        return ui.NONE
    near, far = distances
    first = _size(near, unit) if unit == "share" else ui.number(near)
    return f"{first} to {'open' if far is None else _size(far, unit)}"


def _size(value: float | None, unit: str) -> str:
    return ui.share(value) if unit == "share" else ui.number(value, unit)


def _decomposition(parts: Decomposition) -> None:
    """What each feature's part of a joint shift does alone, and all of them together."""
    name = words.scenario(parts.kind, parts.magnitude)
    st.subheader("One by one and together")
    st.caption(
        f"{name} on {ui.count(len(parts.singles), 'feature')}, alone and together, on the same "
        f"{ui.count(parts.rows, 'row')}."
    )
    with st.grid(2, min_column_width=320, gap="small"):
        ui.chart(
            "Flip rate: share of answers that change", charts.alone_and_together(parts),
            note="Each share ends at 100 %, so that they do not add up",
            key="parts_changed", alt="Changed answers by each feature's shift alone, and by all together",
        )  # fmt: skip
        if parts.joint_output_change is not None:
            what = (
                "mean answer" if parts.output == "answer" else f"mean probability of {ui.plain(parts.output)}"
            )
            ui.chart(
                f"Change of the {what}", charts.effect_on_output(parts), note=_adds_up(parts),
                key="parts_output", alt="Mean output by each feature's shift alone, and by all together",
            )  # fmt: skip


def _adds_up(parts: Decomposition) -> str:
    if parts.output != "answer":
        return "Probabilities end at 0 and 1, so that these need not add up"
    if not charts.interacts(parts):
        return "The single effects add up to the joint one"
    return (
        f"Single shifts sum to {ui.number(parts.single_output_sum)}, together they make "
        f"{ui.number(parts.joint_output_change)}; interaction is the difference"
    )


def _columns(drift: DriftAnalysis) -> None:
    if not drift.columns:
        return
    st.subheader("Column by column")
    strongest = words.scenario_of(drift.columns_scenario) or "not named"
    st.caption(f"Under the strongest simulated shift: {strongest}")
    column_table(drift.columns, alt="Distances of each column, largest PSI first")


def column_table(columns: Sequence[ColumnDrift], *, alt: str) -> None:
    """Every statistic of each column, the largest PSI first, and which test judged it."""
    if any(c.p_adjusted is not None for c in columns):
        st.caption("p-values that judge are adjusted for the number of columns (Benjamini-Hochberg).")
    if any(c.kind == "text" for c in columns):
        st.caption(
            "Of texts PSI and Jensen-Shannon compare the words' shares, KS and Wasserstein their number."
        )
    ranked = sorted(columns, key=lambda c: -(c.psi or 0))
    st.dataframe(
        {
            "Column": [c.column for c in ranked],
            "Kind": [c.kind for c in ranked],
            **_judged(ranked),
            **{
                title: [getattr(c, key) for c in ranked]
                for key, title in (("psi", "PSI"), ("ks", "KS"), ("ks_p", "KS p-value"),
                                   ("wasserstein", "Wasserstein"), ("js", "Jensen-Shannon"))
            },
            **_of_texts(ranked),
        },
        hide_index=True,
        column_config={
            "Column": st.column_config.TextColumn(pinned=True),
            **{
                title: st.column_config.NumberColumn(format="%.3g")
                for title in ("PSI", "KS", "KS p-value", "Wasserstein", "Jensen-Shannon")
            },
        },
        alt=alt,
    )  # fmt: skip


def _of_texts(columns: list[ColumnDrift]) -> dict[str, list[str]]:
    """What only texts have; nothing where no column is one."""
    if all(c.kind != "text" for c in columns):
        return {}
    return {"Unknown words": [ui.share(c.unknown_words) if c.kind == "text" else ui.NONE for c in columns]}


def _judged(columns: list[ColumnDrift]) -> dict[str, list[str]]:
    """Reports stored before columns were judged have nothing to show here."""
    if all(c.drifted is None for c in columns):
        return {}
    words = {True: "yes", False: "no", None: "-"}
    return {
        "Drifted": [words[c.drifted] for c in columns],
        "Judged by": [judgement(c) for c in columns],
    }


def _on_what(plan: DriftPlan) -> str:
    if any(s.features for s in plan.scenarios):
        return "each shift on the features that the plan names"
    return "each shift on all features that fit" + (
        ", and on each of them alone" if plan.each_feature else ""
    )
