"""Breakages of attention: how its weights are seen, what is made of them, and where they are drawn."""

_SEEN, _MADE = "tests/inside/test_attention.py", "tests/measures/test_attention.py"
_FIGURE, _TIMM = "tests/figures/test_attention.py", "tests/models/test_timm_net.py"

MUTANTS = [
    # seen
    ("inside/attention.py", "args[1] in (-1, given.ndim - 1)", "args[1] in (1, given.ndim - 2)", _SEEN),
    ("inside/attention.py", "elif name in PRODUCTS:", 'elif name == "mm":', _SEEN),
    ("inside/attention.py", "if self.gradient is None and gradient", "if gradient", _SEEN),
    ("inside/attention.py", 'given.get("attn_mask", given.get("attn_bias"))', 'given.get("attn_bias")', _SEEN),
    ("inside/attention.py", 'if given.get("is_causal"):', 'if given.get("causal"):', _SEEN),
    ("inside/attention.py", ".triu(1)", ".triu(0)", _SEEN),
    ("inside/attention.py", "if scale is None else scale", "if scale is None else 1.0", _SEEN),
    ("inside/attention.py", "query.shape[-1] ** -0.5", "query.shape[-2] ** -0.5", _SEEN),
    ("inside/attention.py", "query.shape[-3] // key.shape[-3]", "1", _SEEN),
    ("inside/attention.py", "mha.set_fastpath_enabled(False)", "mha.set_fastpath_enabled(True)", _SEEN),
    ("inside/attention.py", "mha.set_fastpath_enabled(before)", "mha.set_fastpath_enabled(False)", _SEEN),
    ("inside/attention.py", "if queries != keys:", "if False:", _SEEN),
    ("inside/attention.py", " or (weights.ndim == 4 and len(weights) != num)", "", _SEEN),
    ("inside/attention.py", "for weights in layers))) > 1:", "for weights in layers))) > 9:", _SEEN),
    ("inside/attention.py", "weights.view(num, -1, keys, keys)", "weights.view(-1, num, keys, keys)", _SEEN),
    ("inside/attention.py", "(gradient != 0).any(dim=-1)", "(gradient != 0).any(dim=-2)", _SEEN),
    ("inside/attention.py", "given.detach()", "given.detach().mT", _SEEN),
    # made of them
    ("measures/attention.py", "mixed @ rolled", "rolled @ mixed", _MADE),
    ("measures/attention.py", "0.5 * mean + 0.5 * torch.eye", "mean + 0.5 * torch.eye", _MADE),
    ("measures/attention.py", "weights.mean(dim=1)\n", "weights.amax(dim=1)\n", _MADE),
    ("measures/attention.py", "mixed / mixed.sum(dim=-1, keepdim=True)", "mixed / 1.0", _MADE),
    ("measures/attention.py", "rolled[:, read].mean(dim=1)", "rolled[:, :, read].mean(dim=2)", _MADE),
    ("measures/attention.py", "weights[..., -num:, -num:]", "weights[..., :num, :num]", _MADE),
    ("measures/attention.py", "among / among.sum(dim=-1, keepdim=True)", "among", _MADE),
    ("measures/attention.py", ".view(num, 2) * pitch", ".view(num, 2)", _MADE),
    ("measures/attention.py", "math.log(weights.shape[-1])", "1.0", _MADE),
    # the figure
    (
        "figures/attention/__init__.py",
        "roll_out(layers, read)[:, -(side**2) :]",
        "roll_out(layers, read)[:, : side**2]",
        _FIGURE,
    ),
    (
        "figures/attention/__init__.py",
        "patches / patches.mean(dim=(1, 2), keepdim=True) - 1",
        "patches / patches.mean() - 1",
        _FIGURE,
    ),
    (
        "figures/attention/__init__.py",
        "for weights in layers], dim=1)\n    return",
        "for weights in layers[::-1]], dim=1)\n    return",
        _FIGURE,
    ),
    (
        "figures/attention/__init__.py",
        "measure_distance(weights, side, size / side)",
        "measure_distance(weights, side, size)",
        _FIGURE,
    ),
    ("figures/attention/__init__.py", "distances[layers == number].min()", "distances.min()", _FIGURE),
    (
        "figures/attention/__init__.py",
        "np.bincount(layers, values) / np.bincount(layers)",
        "np.bincount(layers, values)",
        _FIGURE,
    ),
    ("figures/attention/__init__.py", "if patches.all() and not before.any():", "if patches.any():", _FIGURE),
    ("figures/attention/__init__.py", 'needs = ("task", "data", "attention")', 'needs = ("task", "data")', _FIGURE),
    ("figures/attention/page.py", "make_pair(picture, heat, scale", "make_pair(picture, heat.T, scale", _FIGURE),
    ("figures/attention/page.py", "measure_scale(np.concatenate(", "2 * measure_scale(np.concatenate(", _FIGURE),
    ("figures/attention/page.py", '.arrays["layers"] + 1', '.arrays["layers"]', _FIGURE),
    ("figures/attention/page.py", "distances[layers == number].mean()", "distances[layers == number].max()", _FIGURE),
    ("figures/attention/page.py", "(even {numbers['distance_even']:.1f})", "(even {numbers['distance']:.1f})", _FIGURE),
    ("subject.py", '"attention" not in needs or (', "(", _FIGURE),
    # timm's arguments
    ("models/timm_net.py", "**chosen, **kwargs)", "**chosen)", _TIMM),
    ("models/timm_net.py", ", *inspect.signature(timm.create_model).parameters}", "}", _TIMM),
    ("models/timm_net.py", '{"img_size", "global_pool", *chosen', "{*chosen", _TIMM),
]
