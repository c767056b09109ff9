"""The report of all works that have been measured: ratios first, then every figure, and pictures."""

import re
from pathlib import Path

from . import sections, svg
from .markdown import plain, table
from .rounds import picked, spread

ROOT = Path(__file__).resolve().parent.parent.parent
COLUMNS = ("Work", " Against", "Corrected", "Lowest–highest round", "Goal", "As measured", "By processor time")


def write(found, folder, publish):
    """Writes report.md and the pictures into the folder; with `publish` also the documents of the repository."""
    pictures = {f"{work}.svg": draw(result) for work, result in found.items()}
    (folder / "report.md").write_text(report(found, "."))
    for name, picture in pictures.items():
        (folder / name).write_text(picture)
    print(summary(found))
    if publish:
        docs = ROOT / "docs" / "performance"
        docs.mkdir(parents=True, exist_ok=True)
        for name, picture in pictures.items():
            (docs / name).write_text(picture)
        _replace(ROOT / "docs" / "performance.md", report(found, "performance"))
        _replace(ROOT / "README.md", summary(found, only_goals=True))


def _replace(path, text):
    """Puts text between the marks in a document."""
    content = path.read_text()
    start, end = "<!-- figures -->", "<!-- end of figures -->"
    pattern = re.compile(re.escape(start) + ".*" + re.escape(end), re.DOTALL)
    assert pattern.search(content), f"{path} has no place for the figures"
    path.write_text(pattern.sub(lambda _: f"{start}\n\n{text.strip()}\n\n{end}", content))


def report(found, pictures):
    """The whole document; the pictures are in a folder of that name."""
    parts = [summary(found), machine_text(found)]
    for work, result in found.items():
        parts += [
            f"### {result['title']}",
            sections.TEXTS[result["kind"]](result),
            f"![{plain(result['title'])}]({pictures}/{work}.svg)",
        ]
    return "\n\n".join(parts) + "\n"


def summary(found, only_goals=False):
    """Ratios, all of them or those that have a goal."""
    rows = [row for work, result in found.items() for row in sections.ROWS[result["kind"]](work, result)]
    return table(COLUMNS, [row for row in rows if row[4] or not only_goals])


def machine_text(found):
    """Machine and versions, of the last work that was measured."""
    machine = max(found.values(), key=lambda result: result["date"])["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    return (
        f"Machine: {machine['cores']} cores of {machine['processor']} ({', '.join(machine['instructions'])}),"
        f" {machine['memory_gib']} GiB, {machine['system']}. {versions}."
    )


def draw(result):
    """The picture of one work."""
    if result["kind"] == "storm":
        return _storm(result)
    if result["kind"] == "timing":
        rows = [
            (f"{kind}, {phase}", (figures[0] / 1000,) * 3, False)
            for phase, measured in result["phases"].items()
            for kind, figures in measured["medians"].items()
        ]
    elif result["kind"] == "logins":
        rows = [
            (f"{title}, {clients} clients", spread(picked(accounts, "corrected")[name]), name == "countersign")
            for clients, accounts in result["by_clients"].items()
            for name, title in result["names"].items()
        ]
    else:
        key = "rate" if result["kind"] == "start" else "corrected"
        rows = [
            (title, spread(picked(result["accounts"], key)[name]), name.startswith("countersign"))
            for name, title in result["names"].items()
        ]
    return svg.bars(result["title"], result["unit"], rows)


def _storm(result):
    before, during, _ = result["phases"]
    colours = {
        "countersign": ("#2a6f97", "#61a5c2"), "empty": ("#6c757d", "#ced4da"), "django": ("#c1121f", "#e5989b"),
    }  # fmt: skip
    series = []
    for name, measured in result["results"].items():
        title = plain(result["names"][name]).partition(",")[0]
        series.append((f"{title}, p99", colours[name][0], [(row[0], row[2]) for row in measured["timeline"]]))
        series.append((f"{title}, p50", colours[name][1], [(row[0], row[1]) for row in measured["timeline"]]))
    marks = [(before, "logins at 50 × capacity"), (before + during, "over")]
    return svg.lines(f"{result['title']}: latency of token checks, second by second", "ms", series, marks)
