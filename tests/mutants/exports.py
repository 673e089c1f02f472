"""Breakages of what is written for other programs, of its card, and of the way back."""

_ONNX, _SAFE, _CARD = (f"tests/exports/test_{it}.py" for it in ("onnx", "safetensors", "card"))
_BACK = "tests/weights/test_onnx_graph.py"
# A graph takes seconds to write: each breakage is tried by one of its tests.
_PLAIN, _SAID, _FEATURES, _DIFFERING, _LOADED, _SMALL = (
    f"{_ONNX}::{it}"
    for it in (
        "test_normalization_is_left_out_by_choice",
        "test_the_file_says_what_it_is",
        "test_without_classes_features_are_given",
        "test_answers_that_differ_are_refused",
        "test_the_card_loads_it",
        "test_a_network_is_the_same_to_onnxruntime_and_comes_back[model=grid_resnet]",
    )
)

MUTANTS = [
    ("exports/base.py", "(values - self.mean) / self.std", "(values - self.mean) * self.std", _SMALL),
    ("exports/base.py", "self.pixels.float() / 255", "self.pixels.float() / 256", _PLAIN),
    ("exports/base.py", "pre_logits=True", "pre_logits=False", _FEATURES),
    ("exports/base.py", '"logits" if task.classifies else "features"', '"logits"', _FEATURES),
    ("exports/onnx.py", "optimize=False", "optimize=True", _SMALL),
    ("exports/onnx.py", "if self.normalize else None)", "if not self.normalize else None)", _PLAIN),
    ("exports/onnx.py", '{"images": {0: torch.export.Dim("batch")}}', "None", _SAID),
    ("exports/onnx.py", "opset_version=self.opset", "opset_version=18", _SAID),
    ("exports/onnx.py", "if not apart <= _ROUNDING", "if apart > 1e9 * _ROUNDING", _DIFFERING),
    ("exports/onnx.py", 'part.ClearField("metadata_props")', "pass", _SAID),
    ("exports/onnx.py", "transpose(2, 0, 1)", "transpose(2, 1, 0)", _LOADED),
    (
        "exports/safetensors.py",
        "exported.answer.model.state_dict()",
        "dict(exported.answer.model.named_parameters())",
        _SAFE,
    ),
    ("exports/safetensors.py", '"format": "pt", **facts', '"format": "pt"', _SAFE),
    ("exports/safetensors.py", ".contiguous().clone()", "", _SAFE),
    ("card.py", r'_SPECIAL.sub(r"\\\1", show(text))', "show(text)", _CARD),
    ("card.py", "max(3, 1 + max(", "max(3, 0 * max(", _CARD),
    ("card.py", "yaml.safe_dump(head, sort_keys=False, allow_unicode=True)", "str(head)", _CARD),
    ("card.py", 'counts.get("test/examples" if', 'counts.get("test/examples" if not', _CARD),
    ("card.py", '"license": license or "unknown"', '"license": "mit"', _CARD),
    ("weights/onnx_graph.py", "value | (byte & 127) << shift", "value << 7 | (byte & 127)", _BACK),
    ("weights/onnx_graph.py", "!= numbers.end - numbers.start", "> numbers.end - numbers.start", _BACK),
    ("weights/onnx_graph.py", "10: torch.float16, 11: torch.float64", "10: torch.float64, 11: torch.float16", _BACK),
    ("weights/onnx_graph.py", "if self.left[0] < 0:", "if False:", _BACK),
    ("weights/onnx_graph.py", "number == _LOCATION and value == 1", "False", _BACK),
    ("places.py", "*(path / name for name in _EXPORTED)", "*()", _BACK),
]
