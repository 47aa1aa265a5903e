"""The parts of a Grafana dashboard: panels with a title, a unit and questions to Prometheus (pure).

In: `Dashboard`s of `Row`s of `Panel`s. Out: the JSON that Grafana reads.
Refuses to say where anything stands: panels fill rows of 24 columns from left to right, ids count up.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

Unit = Literal["short", "s", "bytes", "reqps", "cps", "percentunit", "none"]
Kind = Literal["timeseries", "stat", "table"]

_DATASOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}
_COLUMNS: Final = 24
_HEIGHT: Final = 8
_SCHEMA_VERSION: Final = 39  # Grafana 10.3; newer ones read it too


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One plot, number or table.

    queries:   what each line is called → PromQL; `{{label}}` in a name is that label's value
    about:     what a person should read out of it
    line:      where to draw the border between good and bad, in the panel's unit
    columns:   its width, of 24
    """

    title: str
    unit: Unit
    queries: Mapping[str, str]
    about: str = ""
    kind: Kind = "timeseries"
    line: float | None = None
    columns: int = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Panels that answer one question."""

    title: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dashboard:
    """One page."""

    name: str
    title: str
    rows: tuple[Row, ...]


def as_json(dashboard: Dashboard) -> dict[str, Any]:
    """The dashboard as Grafana stores it; the same every time."""
    return {
        "uid": f"leadscore-{dashboard.name}",
        "title": dashboard.title,
        "tags": ["leadscore"],
        "editable": False,
        "refresh": "30s",
        "schemaVersion": _SCHEMA_VERSION,
        "time": {"from": "now-6h", "to": "now"},
        "timezone": "browser",
        "templating": {"list": [_choice_of_datasource()]},
        "links": [_link_to_the_others()],
        "panels": list(_placed(dashboard.rows)),
    }


def _placed(rows: tuple[Row, ...]) -> Iterator[dict[str, Any]]:
    number, top = 0, 0
    for row in rows:
        number += 1
        yield _row(row, number, top)
        top += 1
        left = 0
        for panel in row.panels:
            if left + panel.columns > _COLUMNS:
                left, top = 0, top + _HEIGHT
            number += 1
            at = {"x": left, "y": top, "w": panel.columns, "h": _HEIGHT}
            yield {"id": number, "gridPos": at, **_panel(panel)}
            left += panel.columns
        top += _HEIGHT


def _row(row: Row, number: int, top: int) -> dict[str, Any]:
    at = {"x": 0, "y": top, "w": _COLUMNS, "h": 1}
    return {
        "id": number,
        "gridPos": at,
        "type": "row",
        "title": row.title,
        "collapsed": False,
        "panels": [],
    }


def _panel(panel: Panel) -> dict[str, Any]:
    instant = panel.kind != "timeseries"
    return {
        "type": panel.kind,
        "title": panel.title,
        "description": panel.about,
        "datasource": _DATASOURCE,
        "fieldConfig": {"defaults": _defaults(panel), "overrides": []},
        "targets": [
            {
                "refId": chr(ord("A") + place),
                "datasource": _DATASOURCE,
                "expr": expression,
                "legendFormat": name,
                "instant": instant,
                "range": not instant,
                **({"format": "table"} if panel.kind == "table" else {}),
            }
            for place, (name, expression) in enumerate(panel.queries.items())
        ],
    }


def _defaults(panel: Panel) -> dict[str, Any]:
    """Unit, and a line above which it is bad."""
    defaults: dict[str, Any] = {"unit": panel.unit, "min": 0}
    if panel.line is not None:
        steps = [{"color": "green", "value": None}, {"color": "red", "value": panel.line}]
        defaults["thresholds"] = {"mode": "absolute", "steps": steps}
        if panel.kind == "timeseries":
            defaults["custom"] = {"thresholdsStyle": {"mode": "line"}}
    return defaults


def _choice_of_datasource() -> dict[str, Any]:
    return {"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus"}


def _link_to_the_others() -> dict[str, Any]:
    return {
        "title": "Leadscore",
        "type": "dashboards",
        "tags": ["leadscore"],
        "asDropdown": True,
        "keepTime": True,
    }
