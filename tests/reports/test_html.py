from html.parser import HTMLParser

from kakera.reports import html


class Tags(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_every_tag_is_closed() -> None:
    parts = [
        html.heading("a"),
        html.paragraph("b"),
        html.code("c"),
        html.table([("x", "y"), ("1", "2")]),
        html.confusion([[3, 1], [0, 4]], ["p", "q"]),
        html.picture(b"png", caption="d"),
    ]
    assert Tags(html.page("title", *parts)).open == []


def test_text_is_escaped() -> None:
    hostile = '<script>alert("x")</script>'
    parts = [html.heading(hostile), html.paragraph(hostile), html.code(hostile)]
    parts += [html.table([(hostile,)]), html.confusion([[1]], [hostile])]
    parts += [html.picture(b"", caption=hostile)]
    assert "<script>" not in html.page(hostile, *parts)


def test_nothing_is_fetched_from_elsewhere() -> None:
    page = html.page("t", html.picture(b"abc", caption="c"))
    sources = [attributes["src"] for tag, attributes in Tags(page).seen if tag == "img"]
    assert sources == ["data:image/png;base64,YWJj"]
    assert "http" not in page


def test_the_shade_of_a_cell_is_its_share_of_the_truth() -> None:
    shades = [
        attributes["style"]
        for tag, attributes in Tags(html.confusion([[3, 1], [0, 0]], ["p", "q"])).seen
        if tag == "td"
    ]
    assert shades == ["--share: 0.637", "--share: 0.212", "--share: 0.000", "--share: 0.000"]


def test_new_parts_are_closed_and_escaped_too() -> None:
    hostile = "<b>&"
    parts = [
        html.verdict(hostile, "bad"),
        html.warning(hostile),
        html.items([hostile]),
        html.details(hostile, html.note(hostile)),
        html.gallery([html.Card(html.audio(b"wav"), hostile, hostile)], sounds=True),
        html.bars([(hostile, 0.5, (hostile,))], ("a", "b"), own=hostile),
    ]
    page = html.page("t", *parts)
    assert Tags(page).open == []
    assert "<b>" not in page


def test_the_width_of_a_bar_is_its_share() -> None:
    text = html.bars([("a", 0.25, ("25 %",)), ("b", 1.5, ("",))], ("name", "share"), own="b")
    styles = [attributes.get("style") for tag, attributes in Tags(text).seen if tag == "span"]
    assert styles == ["width: 25.0%", "width: 100.0%"]
