"""Tables of Markdown and numbers as people read them."""


def table(columns, rows):
    """A table. The first column is text, as are those whose name begins with a space; the others stand on the right."""
    ruler = ["---" if number == 0 or name.startswith(" ") else "---:" for number, name in enumerate(columns)]
    lines = [columns, ruler, *rows]
    return "\n".join("| " + " | ".join(str(cell).strip() for cell in line) + " |" for line in lines)


def number(value):
    """Three digits that count; a dash for nothing."""
    if value is None:
        return "–"
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def between(low, high):
    """A range."""
    return f"{number(low)}–{number(high)}"


def plain(title):
    """A title without its emphasis."""
    return title.replace("**", "").replace("`", "")
