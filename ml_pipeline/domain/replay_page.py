"""A replayed year as one HTML file that needs nothing else: no network, no font, and a script only for reading nights out."""

from collections.abc import Iterator, Sequence

from ml_pipeline.domain.replay_page_comparison import comparison_table, savings_plot
from ml_pipeline.domain.replay_page_finding import headline, lead
from ml_pipeline.domain.replay_page_incidents import incidents_section
from ml_pipeline.domain.replay_page_lanes import drift_top
from ml_pipeline.domain.replay_page_notes import notes
from ml_pipeline.domain.replay_page_script import SCRIPT, script_source
from ml_pipeline.domain.replay_page_style import style
from ml_pipeline.domain.replay_page_tables import decisions_table, models_table, nights_table
from ml_pipeline.domain.replay_page_words import counted, escaped
from ml_pipeline.domain.replay_page_year import year_section
from ml_pipeline.domain.replay_page_years import COLOURS, clean_years, disturbed_years
from ml_pipeline.domain.replay_report import ReplayReport


def replay_page(report: ReplayReport) -> str:
    """The file; every text of the report is escaped, and the same report gives the same bytes."""
    policy = f"default-src 'none'; style-src 'unsafe-inline'; script-src {script_source()}; base-uri 'none'; form-action 'none'"
    sections = tuple(_sections(report))
    keys = [shown.key for shown in clean_years(report)]
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escaped(report.title)}</title>
<style>{style(COLOURS, keys)}</style>
</head>
<body>
<main>
<a class="skip" href="#decisions">Skip the charts</a>
{_header(report, sections)}
{"".join(_section(*section) for section in sections)}
</main>
<script>{SCRIPT}</script>
</body>
</html>
"""


def _header(report: ReplayReport, sections: Sequence[tuple[str, str, str, str]]) -> str:
    said = "".join(f"<li>{escaped(sentence)}</li>" for sentence in lead(report))
    links = "".join(f'<a href="#{name}">{title}</a>' for name, title, _, _ in sections)
    found, beside = headline(report)
    policies = counted(len(report.clean), "policy").replace("policys", "policies")
    return (
        f'<header><p class="kicker"><b>{escaped(report.title)}</b> \N{MIDDLE DOT} {escaped(report.project)} \N{MIDDLE DOT} '
        f"{report.first_night} to {report.last_night} \N{MIDDLE DOT} {policies}</p><h1>{escaped(found)} <span>{escaped(beside)}</span></h1>"
        f'<div class="opening"><ul class="lead">{said}</ul>{savings_plot(report, clean_years(report))}</div><nav>{links}</nav></header>'
    )


def _section(name: str, title: str, words: str, content: str) -> str:
    told = f'<p class="soft">{escaped(words)}</p>' if words else ""
    return f'<section id="{name}"><h2>{title}</h2>{told}{content}</section>\n'


def _sections(report: ReplayReport) -> Iterator[tuple[str, str, str, str]]:
    clean, disturbed = clean_years(report), disturbed_years(report)
    years = (*clean, *disturbed)
    most_drift = drift_top(years)
    yield (
        "policies", "The policies side by side",
        f"Cost: {report.cost_words}. Bold is the best of its row, however small the lead; what chance may explain is in the intervals.",
        comparison_table(report, clean),
    )  # fmt: skip
    yield "year", "The year, night by night", "", year_section(report, clean, most_drift)
    yield (
        "decisions", "Decisions, with their reasons", "Each night leads to its mark in the chart, and each mark back here.",
        _yearly(decisions_table(each, is_open=each.year.name == report.focus and not each.is_disturbed) for each in years),
    )  # fmt: skip
    yield (
        "incidents", "Incidents: what was broken, and who noticed",
        "" if not report.incidents else "Shaded: the nights of the incident. Red line: the night it was noticed. Coloured line: "
        "cost a row of each night; dotted grey: the same nights undisturbed. Below: share of the features that drifted.",
        incidents_section(report, disturbed, most_drift),
    )  # fmt: skip
    yield (
        "models", "Models and where they came from", "Made from: the model whose trees were kept, for a recalibration. Refused models are grey.",
        _yearly(models_table(each) for each in years),
    )  # fmt: skip
    yield (
        "nights", "Every night in numbers", "What the charts draw. Nothing is left out.",
        _yearly(nights_table(each) for each in years),
    )  # fmt: skip
    yield "reading", "How to read this page", "", notes(report)


def _yearly(tables: Iterator[str]) -> str:
    return f'<div class="yearly">{"".join(tables)}</div>'
