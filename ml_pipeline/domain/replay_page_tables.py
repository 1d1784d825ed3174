"""The tables of one policy's year: its decisions, its models and its nights; what the charts draw, in words and numbers."""

from collections.abc import Sequence

from ml_pipeline.domain.replay_page_axis import mean_cost
from ml_pipeline.domain.replay_page_words import MISSING, counted, decimal, escaped, percent
from ml_pipeline.domain.replay_page_years import ShownYear
from ml_pipeline.domain.replay_report import ReplayedModel, ReplayedNight

# The script reads these columns by their place; "reasons" is the last.
NIGHT_COLUMNS = (
    "Night", "Model", "Served by", "Rows", "Cost", "Cost a row", "Baseline cost a row", "Log loss", "Baseline log loss",
    "Brier", "Drifted", "Saving known", "Expected log loss", "Verdict", "Severity", "Reasons",
)  # fmt: skip


_DECISION_COLUMNS = ("Night", "Verdict", "Severity", "Reasons", "What became of it")
_MODEL_COLUMNS = (
    "Model", "Made on", "Act", "Made from", "Asked by", "Trained on", "Gate", "Answered", "Reasons of the gate",
)  # fmt: skip


def decisions_table(shown: ShownYear, *, is_open: bool) -> str:
    """What the policy asked for and why, and what became of it; each night leads to its mark in the chart."""
    nights = list(shown.decisions())
    summary = f"{_titled(shown)}: {counted(len(nights), 'decision')}"
    if not nights:
        return _folded(shown, summary, '<p class="soft">It never asked for anything.</p>', is_open=is_open)
    rows = "".join(_decision(shown, night) for night in nights)
    return _folded(shown, summary, _table("Decisions", _head(_DECISION_COLUMNS), rows, "wide"), is_open=is_open)


def models_table(shown: ShownYear) -> str:
    """The lineage: what each model was made from, what the gate said, and when it answered."""
    rows = "".join(_model(model) for model in shown.year.models)
    summary = f"{_titled(shown)}: {counted(len(shown.year.models), 'model')}"
    return _folded(shown, summary, _table("Models", _head(_MODEL_COLUMNS), rows, "wide"), is_open=False)


def nights_table(shown: ShownYear) -> str:
    rows = "".join(_night(shown, night) for night in shown.year.nights)
    summary = f"{_titled(shown)}: {counted(len(shown.year.nights), 'night')}"
    return _folded(shown, summary, _table("Nights", _head(NIGHT_COLUMNS), rows, "nights"), is_open=False)


def _decision(shown: ShownYear, night: ReplayedNight) -> str:
    made = "; ".join(_outcome(model) for model in shown.year.models if model.made_on == night.night)
    return (
        f'<tr id="{shown.decision_id(night.night)}"><th scope="row"><a href="#{shown.mark_id(night.night)}">{night.night}</a></th>'
        f"{labelled_cells(_DECISION_COLUMNS, (night.verdict, night.severity, night.reasons, made or MISSING))}</tr>"
    )


def _outcome(model: ReplayedModel) -> str:
    return f"{model.version} {'promoted' if model.is_promoted else 'refused'}"


def _model(model: ReplayedModel) -> str:
    answered = MISSING
    if model.served_from is not None:
        answered = f"{model.served_from} to {model.served_until or 'the end'}"
    cells = (
        str(model.made_on), model.act, model.made_from or MISSING, model.asked_by,
        f"{model.train_first} to {model.train_last}", "promoted" if model.is_promoted else "refused", answered,
        "; ".join(model.reasons) or MISSING,
    )  # fmt: skip
    kind = "" if model.is_promoted else ' class="no"'
    return f'<tr{kind}><th scope="row">{escaped(model.version)}</th>{labelled_cells(_MODEL_COLUMNS, cells)}</tr>'


def _night(shown: ShownYear, night: ReplayedNight) -> str:
    baseline = night.baseline_cost / night.rows if night.rows else float("nan")
    cells = (
        night.model_version, night.served_by, f"{night.rows:,}", decimal(night.cost, 2), decimal(mean_cost(night)),
        decimal(baseline), decimal(night.log_loss), decimal(night.baseline_log_loss), decimal(night.brier),
        percent(night.drifted_share), percent(night.cost_saving), decimal(night.estimated_log_loss), night.verdict,
        night.severity, night.reasons,
    )  # fmt: skip
    return (
        f'<tr id="{shown.row_id(night.night)}"><th scope="row">{night.night}</th>'
        f"{''.join(f'<td>{escaped(cell)}</td>' for cell in cells)}</tr>"
    )


def _titled(shown: ShownYear) -> str:
    disturbed = " <em>with the incidents</em>" if shown.is_disturbed else ""
    return f'<i class="swatch"></i><b>{escaped(shown.year.title)}</b>{disturbed}'


def labelled_cells(columns: Sequence[str], cells: Sequence[str]) -> str:
    """Cells that carry their column's name: on a phone each stands on a line of its own."""
    named = zip(columns[1:], cells, strict=True)
    return "".join(f'<td data-name="{column}">{escaped(cell)}</td>' for column, cell in named)


def _head(columns: Sequence[str]) -> str:
    return "".join(f'<th scope="col">{column}</th>' for column in columns)


def _table(label: str, head: str, rows: str, kind: str) -> str:
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{label}"><table class="{kind}">'
        f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _folded(shown: ShownYear, summary: str, content: str, *, is_open: bool) -> str:
    opened = " open" if is_open else ""
    return f'<details class="{shown.kind}"{opened}><summary>{summary}</summary>{content}</details>'
