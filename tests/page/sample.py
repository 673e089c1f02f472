"""An explorer's page made of nothing: `python tests/page/sample.py page.html` writes one to look at."""

import base64
import io
import json
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from netgaze.page.render import render

HOSTILE = [
    "<script>window.pwned = 1</script>",
    '"><img src=x onerror="window.pwned = 1">',
    "قطة <b>سوداء</b>",
    "\u202eevil\u202c 🦊👩\u200d🚀",
    "</script><script>window.pwned = 1</script>",
    "x" * 10_000,
    "' onmouseover='window.pwned = 1",
    "<!-- ${window.pwned = 1}",
]


def encode(values, dtype) -> dict:
    """An array as the page reads it."""
    values = np.ascontiguousarray(np.asarray(values).astype(np.dtype(dtype).newbyteorder("<")))
    return {"dtype": dtype, "shape": list(values.shape), "base64": base64.b64encode(values.tobytes()).decode()}


def decode(array) -> np.ndarray:
    """The numbers of an encoded array."""
    values = np.frombuffer(base64.b64decode(array["base64"]), np.dtype(array["dtype"]).newbyteorder("<"))
    return values.reshape(array["shape"])


def color_of(row) -> tuple[int, int, int]:
    """The one color of a row's tile: no two of 4096 rows share it."""
    return (16 * (row % 16) + 8, 16 * (row // 16 % 16) + 8, 16 * (row // 256 % 16) + 8)


def make_sprite(num, side, textured) -> dict:
    """Tiles whose color tells their row, as a PNG: its colors come back as they were."""
    columns = int(np.ceil(np.sqrt(num)))
    sheet = np.zeros((-(-num // columns) * side, columns * side, 3), np.uint8)
    for row in range(num):
        top, left = row // columns * side, row % columns * side
        sheet[top : top + side, left : left + side] = color_of(row)
        if textured:
            sheet[top + side // 4 : top + side // 2, left + side // 4 : left + side // 2] = 255
    file = io.BytesIO()
    Image.fromarray(sheet).save(file, "png", optimize=False)
    url = "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()
    return {"url": url, "side": side, "columns": columns}


def make_answers(draw, labels, classes, width, by, right) -> dict:
    """Answers of which about a share is right; the first is the likeliest."""
    scores = draw.gumbel(size=(len(labels), classes))
    scores[np.arange(len(labels)), labels] += 6 * right
    shares = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
    order = np.argsort(-shares, axis=1)[:, :width]
    loss = -np.log(shares[np.arange(len(labels)), labels])
    return {
        "by": by,
        "classes": encode(order, "uint16"),
        "shares": encode(np.round(np.take_along_axis(shares, order, 1) * 65535), "uint16"),
        "loss": encode(loss, "float32"),
    }


def make_places(draw, labels, spread) -> np.ndarray:
    """A map: each class a cloud on a circle."""
    angle = 2 * np.pi * labels / (labels.max() + 1)
    places = 0.5 + 0.35 * np.stack([np.cos(angle), np.sin(angle)], 1) + draw.normal(0, spread, (len(labels), 2))
    return np.clip(places, 0, 1) * 65535


def make_heat(draw, classes, num, shown) -> dict:
    """Class maps of 4 x 4: evidence for in the upper left, none in the upper right, against at the bottom."""
    values = np.full((num, shown, 4, 4), 128)
    values[:, :, :2, :2] = 255
    values[:, :, 2:] = 1
    order = np.tile(np.arange(shown), (num, 1))
    return {"classes": encode(order, "uint16"), "values": encode(values, "uint8"), "unit": "logits"}


def make_network(draw, place, labels, classes, snapshots) -> dict:
    """One network; the third has neither head nor class maps, as raw pixels have not."""
    num = len(labels)
    network = {"label": ["supervised", "rotation", "raw pixels"][place % 3] + (f" {place}" if place > 2 else "")}
    network["control"] = place % 3 == 2
    places = make_places(draw, labels, 0.05 + 0.03 * place)
    network["maps"] = {"t-SNE": encode(places, "uint16"), "PCA": encode(places[:, ::-1], "uint16")}
    width = min(5, classes)
    network["votes"] = make_answers(draw, labels, classes, width, "neighbors", 0.6)
    ranked = draw.permuted(np.tile(np.arange(num), (num, 1)), axis=1) if num <= 500 else None
    near = [(np.arange(num) + step) % num for step in range(1, 11)] if ranked is None else ranked[:, :10].T
    network["neighbors"] = encode(np.stack(near, 1), "uint16")
    if place % 3 == 2:
        network["answers"] = network.pop("votes")
        return network
    network["answers"] = make_answers(draw, labels, classes, width, "head", 0.9 - 0.3 * place % 3)
    network["heat"] = make_heat(draw, classes, num, min(classes, 10))
    if place % 3 == 1:
        turns = draw.integers(0, 4, num)
        shares = np.tile([50000, 10000, 4000, 1535], (num, 1))
        own = {"classes": encode((turns[:, None] + np.arange(4)) % 4, "uint16"), "shares": encode(shares, "uint16")}
        network["own"] = {"class_names": ["0°", "90°", "180°", "270°"], **own}
    some = np.arange(0, num, 2)
    depth = {"words": "prediction depth", "says": "the first layer that answers as the last does", "unit": ""}
    depth |= {"index": encode(some, "uint32"), "values": encode(some % 7, "float32")}
    network["values"] = {"prediction depth": depth}
    if snapshots:
        network["snapshots"] = make_snapshots(draw, labels, classes, place)
    return network


def make_snapshots(draw, labels, classes, place) -> dict:
    """Two moments of training: one network's at epochs 5 and 10, the other's at 10 and 20."""
    maps = [make_places(draw, labels, spread) for spread in (0.3, 0.15)]
    answers = draw.integers(0, classes, (2, len(labels)))
    return {
        "epochs": [5, 10] if place == 0 else [10, 20],
        "maps": encode(np.stack(maps), "uint16"),
        "classes": encode(answers, "uint16"),
        "shares": encode(np.full(answers.shape, 30000), "uint16"),
    }


def make_runs(labels) -> list[dict]:
    """A run a network, measured at unlike steps."""
    runs = []
    for place, label in enumerate(labels):
        epochs = list(range(1, 21, place + 1))
        losses = [round(2.3 * 0.9**epoch + 0.1 * place, 4) for epoch in epochs]
        series = {"val/loss": {"words": "validation loss", "unit": "nats", "x": epochs, "y": losses}}
        series["val/acc"] = {"words": "validation accuracy", "unit": "", "x": epochs, "y": [1 - x / 3 for x in losses]}
        settings = {"task": label, "optim.lr": str(0.1 / (place + 1)), "seed": "0"}
        runs.append({"label": label, "settings": settings, "series": series})
    return runs


def make_data(
    num=200, classes=10, networks=3, *, side=16, hostile=False, snapshots=True, splits=1, seed=0, plain=True
) -> dict:
    """A whole explorer's data, the same for the same arguments."""
    draw = np.random.default_rng(seed)
    labels = draw.integers(0, classes, num)
    labels[: min(num, classes)] = np.arange(min(num, classes))
    names = [f"class {place}" for place in range(classes)]
    split = np.arange(num) * splits // num
    index = 7 + 3 * np.concatenate([np.arange((split == part).sum()) for part in range(splits)])
    built = [make_network(draw, place, labels, classes, snapshots) for place in range(networks)]
    if hostile:
        names = [
            HOSTILE[place % len(HOSTILE)] + ("" if place < len(HOSTILE) else str(place)) for place in range(classes)
        ]
        for place, network in enumerate(built):
            network["label"] = HOSTILE[(place + 4) % len(HOSTILE)]
    part = {"name": HOSTILE[0] if hostile else "sample", "splits": ["test", "val"][:splits], "class_names": names}
    part |= {"split": encode(split, "uint8"), "index": encode(index, "uint32"), "labels": encode(labels, "uint16")}
    part |= {"sprite": make_sprite(num, side, not plain), "networks": built}
    return {"version": 1, "sets": [part], "runs": make_runs([network["label"] for network in built])}


NAV = '<nav aria-label="On this page"><a href="#rest">Rest</a></nav>'
REST = '<section id="rest"><h2>Rest</h2><p>The rest of the report.</p></section>'


def write_page(path: Path, data: dict | None) -> Path:
    """Write the explorer's page around the data, with a link to its end; without data, a page without an explorer."""
    explorer = {
        "title": "Explore",
        "question": "Which images lie together, and what does each network make of them?",
        "picture": make_sprite(16, 40, False)["url"],
        "captions": ["A caption."],
        "left_out": [],
        "block": data,
    }
    page = render("explore.html", {"title": "Sample"}, explorer if data else None)
    page = page.replace("<body>", f"<body>{NAV}").replace("</body>", f"{REST}</body>")
    path.write_text(page, encoding="utf-8", newline="")
    return path


if __name__ == "__main__":
    options = {key: json.loads(value) for key, value in (word.split("=") for word in sys.argv[2:])}
    print(write_page(Path(sys.argv[1]), make_data(**options)))
