"""Names as people's disks have them, each of which once did something else than to name; what a page says of them."""

from html.parser import HTMLParser

NASTY = [
    "$x$",
    r"$\frac$^_{",
    "$5",
    r"a\b_c^d",
    "<script>alert('&amp;')</script>",
    "%s %d {} {0} %",
    "cat as dog",
    "dog as cat as dog, lr=0.1",
    "שלום עולם",
    "قطة (صغيرة) 3",
    "猫と犬",
    "😀👩\u200d🚀 e\u0301\u0323\u200b",
    "हिन्दी",
    "L" * 290 + " the end 1",
    "L" * 290 + " the end 2",
    "猫" * 300,
    "two\nlines\tand\ra tab",
    "\x1b[31mred\x07\x9b\x7f",
    "caf\udce9",
    "\u202eturned\u2067",
    '=1+1,"quoted";\'',
]


class Words(HTMLParser):
    """The words of a page, an element each, and the tags and attributes that it opens."""

    def __init__(self, content):
        super().__init__()
        self.words, self.tags, self.attributes = [], set(), set()
        self.feed(content)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data):
        self.words.append(data)
