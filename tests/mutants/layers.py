"""Breakages of the figures of layers: each must make one of its tests fail."""

_DECONVNET = "tests/figures/test_deconvnet_drawn.py"
_DREAM = "tests/figures/test_deep_dream_drawn.py"
_MAXIMAL = "tests/figures/test_maximal_images_drawn.py"
_MAPS = "tests/figures/test_feature_maps_drawn.py"
_FILTERS = "tests/figures/test_filters_drawn.py"
_SIMILARITY = "tests/figures/test_filter_similarity_drawn.py"
_NUMBERS = "tests/figures/test_filter_similarity.py"
_ANATOMY = "tests/figures/test_anatomy_drawn.py"
_SHOWN = "tests/figures/test_shown_layers.py"
_CARRIED = "tests/figures/test_deconvnet.py"
_DREAMT = "tests/figures/test_deep_dream.py"
_ACTIVE = "tests/figures/test_feature_maps.py::test_against_a_pass_image_by_image"
_STRONGEST = "tests/figures/test_maximal_images.py::test_strongest_images_against_a_loop"
_DEAD = "tests/figures/test_maximal_images.py::test_dead_channels_are_not_chosen"
_ROWS = "tests/drawing/test_rows.py"

MUTANTS = [
    # Deconvnet
    (
        "figures/deconvnet/blocks.py",
        'arrays["back"][number, place], below',
        'arrays["back"][number, 0], below',
        _DECONVNET,
    ),
    (
        "figures/deconvnet/blocks.py",
        'arrays["back"][number, place], below',
        'arrays["back"][number, place].swapaxes(0, 1), below',
        _DECONVNET,
    ),
    ("figures/deconvnet/blocks.py", 'arrays["images"][number]\n', 'arrays["images"][0]\n', _DECONVNET),
    (
        "figures/deconvnet/blocks.py",
        'arrays["likeness"][number, place]',
        'arrays["likeness"][number, place][::-1]',
        _DECONVNET,
    ),
    ("figures/deconvnet/blocks.py", 'arrays["frames"][number, place]', 'arrays["frames"][place, number]', _DECONVNET),
    ("figures/deconvnet/blocks.py", "frame[:2] + frame[2]]", "frame[:2]]", _DECONVNET),
    ("figures/deconvnet/blocks.py", "(left, top), (right, bottom) =", "(top, left), (bottom, right) =", _DECONVNET),
    (
        "figures/deconvnet/blocks.py",
        "channel {arrays['channels'][number, place]}",
        "channel {arrays['channels'][0, place]}",
        _DECONVNET,
    ),
    (
        "figures/deconvnet/blocks.py",
        'f"{layer}/receptive_field"',
        "f\"{arrays['layers'][0]}/receptive_field\"",
        _DECONVNET,
    ),
    (
        "figures/deconvnet/blocks.py",
        'x: arrays[f"patches{place}"], x + pitch * across + 0.06: arrays[f"patches_back{place}"]',
        'x: arrays[f"patches_back{place}"], x + pitch * across + 0.06: arrays[f"patches{place}"]',
        _DECONVNET,
    ),
    (
        "figures/deconvnet/blocks.py",
        "channel {arrays['channels'][0, place]}",
        "channel {arrays['channels'][-1, place]}",
        _DECONVNET,
    ),
    (
        "figures/deconvnet/blocks.py",
        "zip(KINDS, lefts, strict=True)",
        "zip(KINDS[::-1], lefts, strict=True)",
        _DECONVNET,
    ),
    (
        "figures/deconvnet/blocks.py",
        "for place, path in enumerate(paths) if",
        "for place, path in enumerate(paths[::-1]) if",
        _DECONVNET,
    ),
    ("figures/deconvnet/patches.py", "np.divmod(places, width)", "np.divmod(places, side)", _DECONVNET),
    ("figures/deconvnet/patches.py", "for at in (columns, rows)", "for at in (rows, columns)", _DECONVNET),
    (
        "figures/deconvnet/patches.py",
        "image[top + side : top + 2 * side, left",
        "image[top + side + 1 : top + 2 * side + 1, left",
        _DECONVNET,
    ),
    ("figures/deconvnet/patches.py", ".quantile(_FULL, dim=1).view(-1, 1, 1, 1)", ".quantile(_FULL)", _DECONVNET),
    (
        "figures/deconvnet/__init__.py",
        "F.pad(images.diff(dim=3), (0, 1))",
        "F.pad(images.diff(dim=3), (0, 1)) * 0 + 1",
        _DECONVNET,
    ),
    (
        "figures/deconvnet/__init__.py",
        "values.flatten(1) - values.flatten(1).mean(dim=1, keepdim=True)",
        "values.flatten(1)",
        _DECONVNET,
    ),
    # Deep Dream
    ("figures/deep_dream/tiles.py", 'arrays[f"dream{i}_{j}"]', 'arrays[f"dream{i}_0"]', _DREAM),
    ("figures/deep_dream/tiles.py", 'arrays[f"base{i}"]', 'arrays["base0"]', _DREAM),
    ("figures/deep_dream/tiles.py", 'for when in ("before", "after")', 'for when in ("after", "before")', _DREAM),
    ("figures/deep_dream/tiles.py", "{arrays['goals'][j]}", "{arrays['goals'][0]}", _DREAM),
    (
        "figures/deep_dream/tiles.py",
        "tile.shape[1] * scale, tile.shape[0] * scale",
        "tile.shape[0] * scale, tile.shape[1] * scale",
        _DREAM,
    ),
    ("figures/deep_dream/tiles.py", 'f"{image}{between}{goal}"', 'f"{goal}{between}{image}"', _DREAM),
    (
        "figures/deep_dream/__init__.py",
        '"mean squared activation" if self.channel is None else "mean activation"',
        '"mean activation" if self.channel is None else "mean squared activation"',
        _DREAM,
    ),
    (
        "figures/deep_dream/octaves.py",
        "for frames in octaves for frame in frames]",
        "for frames in octaves[::-1] for frame in frames]",
        _DREAM,
    ),
    # Maximal images
    (
        "figures/maximal_images/__init__.py",
        'finding.arrays["images"][place], finding.arrays["scores"][place]',
        'finding.arrays["images"][0], finding.arrays["scores"][place]',
        _MAXIMAL,
    ),
    (
        "figures/maximal_images/__init__.py",
        "zip(images, scores, strict=True)",
        "zip(images, scores[::-1], strict=True)",
        _MAXIMAL,
    ),
    (
        "figures/maximal_images/__init__.py",
        'finding.arrays["optimized"][place]',
        'finding.arrays["optimized"][0]',
        _MAXIMAL,
    ),
    (
        "figures/maximal_images/__init__.py",
        'names = ("optimized", "best_image", "median_image")',
        'names = ("optimized", "median_image", "best_image")',
        _MAXIMAL,
    ),
    (
        "figures/maximal_images/__init__.py",
        "make_tiles(tiles, x + large + _GAP",
        "make_tiles(tiles[::-1], x + large + _GAP",
        _MAXIMAL,
    ),
    (
        "figures/maximal_images/__init__.py",
        'enumerate(finding.arrays["channels"])',
        'enumerate(sorted(finding.arrays["channels"], reverse=True))',
        _MAXIMAL,
    ),
    # Feature maps
    (
        "figures/feature_maps/blocks.py",
        "zip(maps[number], tops, names, strict=True)",
        "zip(maps[0], tops, names, strict=True)",
        _MAPS,
    ),
    (
        "figures/feature_maps/blocks.py",
        'arrays[f"maps{j}"], arrays[f"channels{j}"]',
        'arrays[f"maps{j}"], arrays["channels0"]',
        _MAPS,
    ),
    ("figures/feature_maps/blocks.py", "if dead else str(channel)", "if not dead else str(channel)", _MAPS),
    ("figures/feature_maps/blocks.py", "np.quantile(np.abs(maps), _QUANTILE)", "np.abs(maps).max()", _MAPS),
    ("figures/feature_maps/blocks.py", "np.abs(maps).max(axis=(0, 2, 3))", "maps.max(axis=(0, 2, 3))", _MAPS),
    (
        "figures/feature_maps/blocks.py",
        "np.abs(maps).max(axis=(0, 2, 3))",
        "np.abs(maps[:1]).max(axis=(0, 2, 3))",
        _MAPS,
    ),
    ("figures/feature_maps/blocks.py", "bool(maps.min() < 0)", "bool(maps.max() > 0)", _MAPS),
    ("figures/feature_maps/blocks.py", "([-full, 0, full], SIGNED)", "([0, full], SIGNED)", _MAPS),
    ("figures/feature_maps/blocks.py", "{own['height']}x{own['width']}", "{own['width']}x{own['height']}", _MAPS),
    ("figures/feature_maps/blocks.py", "dead {own['dead']:.1%}, values", "dead {own['active']:.1%}, values", _MAPS),
    (
        "figures/feature_maps/blocks.py",
        'zip(finding.arrays["images"], finding.arrays["names"], strict=True)',
        'zip(finding.arrays["images"][::-1], finding.arrays["names"], strict=True)',
        _MAPS,
    ),
    ("drawing/shown_layers.py", "output[:, -(side**2) :]", "output[:, : side**2]", _SHOWN),
    (
        "drawing/shown_layers.py",
        ".transpose(1, 2).unflatten(2, (side, side))",
        ".unflatten(1, (side, side)).permute(0, 3, 2, 1)",
        _SHOWN,
    ),
    ("drawing/shown_layers.py", "output.permute(0, 3, 1, 2) if", "output.permute(0, 3, 2, 1) if", _SHOWN),
    ("drawing/shown_layers.py", '"filter_layers", ())[:stem]', '"filter_layers", ())[stem:]', _SHOWN),
    (
        "drawing/shown_layers.py",
        "list(dict.fromkeys(own if layers is None else layers))",
        "sorted(set(own if layers is None else layers))",
        _SHOWN,
    ),
    # Filters
    (
        "figures/filters/grids.py",
        "np.abs(weights).max(axis=(1, 2, 3), keepdims=True)",
        "np.abs(weights).max(keepdims=True)",
        _FILTERS,
    ),
    (
        "figures/filters/grids.py",
        "np.abs(weights).max(axis=(1, 2, 3), keepdims=True)",
        "weights.max(axis=(1, 2, 3), keepdims=True)",
        _FILTERS,
    ),
    ("figures/filters/grids.py", "(values.transpose(0, 2, 3, 1)", "(values.transpose(0, 3, 2, 1)", _FILTERS),
    (
        "figures/filters/grids.py",
        "number // across * step, number % across * step",
        "number % across * step, number // across * step",
        _FILTERS,
    ),
    ("figures/filters/grids.py", "gap=1, across=tiles.shape[1])", "gap=1, across=tiles.shape[0])", _FILTERS),
    (
        "figures/filters/grids.py",
        "tiles.reshape(-1, *tiles.shape[2:])",
        "tiles.swapaxes(0, 1).reshape(-1, *tiles.shape[2:])",
        _FILTERS,
    ),
    (
        "figures/filters/grids.py",
        'xlabel="input channel", ylabel="filter"',
        'xlabel="filter", ylabel="input channel"',
        _FILTERS,
    ),
    ("figures/filters/grids.py", "< DEAD * norms.max()", "> DEAD * norms.max()", _FILTERS),
    ("figures/filters/grids.py", "norms[first : first + across]", "norms[:across]", _FILTERS),
    ("figures/filters/grids.py", "make_aside(str(first)", "make_aside(str(first + 1)", _FILTERS),
    (
        "figures/filters/__init__.py",
        'arrays[f"weights{place}"]\n        words',
        'arrays["weights0"]\n        words',
        _FILTERS,
    ),
    ("figures/filters/__init__.py", "norms.std() / norms.mean()", "norms.std()", _FILTERS),
    ("figures/filters/__init__.py", "/ (2 * energy)", "/ energy", _FILTERS),
    (
        "figures/filters/__init__.py",
        "weights.mean(axis=1, keepdims=True)",
        "weights.mean(axis=0, keepdims=True)",
        _FILTERS,
    ),
    ("figures/filters/__init__.py", "color_tiles(weights)[[number]]", "color_tiles(weights)[[0]]", _FILTERS),
    # Similarity of filters
    (
        "figures/filter_similarity.py",
        "_make_matrix(right, side, confusion,",
        "_make_matrix(right, side, confusion.T,",
        _SIMILARITY,
    ),
    (
        "figures/filter_similarity.py",
        "_make_matrix(left, side, similarity, names, SIGNED",
        "_make_matrix(left, side, similarity, names[::-1], SIGNED",
        _SIMILARITY,
    ),
    ("figures/filter_similarity.py", "axes.text(column, row,", "axes.text(row, column,", _SIMILARITY),
    ("figures/filter_similarity.py", "low = -1.0 if colors == SIGNED else 0.0", "low = 0.0", _SIMILARITY),
    (
        "figures/filter_similarity.py",
        '"black" if black[row, column] else "white"',
        '"white" if black[row, column] else "black"',
        _SIMILARITY,
    ),
    (
        "figures/filter_similarity.py",
        "largest {numbers['similarity_max']:z.2f}",
        "largest {numbers['similarity_mean']:z.2f}",
        _SIMILARITY,
    ),
    ("figures/filter_similarity.py", '"confusion": confusion[within]', '"confusion": confusion', _NUMBERS),
    ("figures/filter_similarity.py", '"names": names[order]', '"names": names', _NUMBERS),
    ("figures/filter_similarity.py", "(confusion + confusion.T) / 2", "confusion", _NUMBERS),
    ("figures/filter_similarity.py", ">= observed * (1 - 1e-12)", "<= observed * (1 - 1e-12)", _NUMBERS),
    ("figures/filter_similarity.py", "(1 + as_high) / (1 + num)", "as_high / (1 + num)", _NUMBERS),
    ("figures/filter_similarity.py", "best = values.argmax()", "best = values.argmin()", _NUMBERS),
    ("figures/filter_similarity.py", "distances = 1 - similarity", "distances = 1 + similarity", _NUMBERS),
    (
        "figures/filter_similarity.py",
        "np.fill_diagonal(others, -np.inf)",
        "np.fill_diagonal(others, np.inf)",
        _SIMILARITY,
    ),
    # Anatomy
    ("figures/anatomy/bars.py", 'kind=f"({len(group)} layers)"', "kind=group[0].kind", _ANATOMY),
    ("figures/anatomy/bars.py", "sees = max((", "sees = min((", _ANATOMY),
    ("figures/anatomy/bars.py", "if row.output_shape][-1:]", "if row.output_shape][:1]", _ANATOMY),
    (
        "figures/anatomy/bars.py",
        "for own in lines.values() for line in own)",
        "for own in [*lines.values()][:1] for line in own)",
        _ANATOMY,
    ),
    ("figures/anatomy/bars.py", "axes.axvline(side,", "axes.axvline(largest,", _ANATOMY),
    ("figures/anatomy/bars.py", "(len(rows) - 0.5, -0.5)", "(-0.5, len(rows) - 0.5)", _ANATOMY),
    ("figures/anatomy/bars.py", "{'kMGTP'[thousands - 1]}", "{'kMGTP'[thousands]}", _ANATOMY),
    (
        "figures/anatomy/bars.py",
        '"params": "parameters",\n    "activations": "activations"',
        '"params": "activations",\n    "activations": "parameters"',
        _ANATOMY,
    ),
    (
        "figures/anatomy/__init__.py",
        "activations, params, params_no_bias, macs, call = map(int, counts)",
        "params, activations, params_no_bias, macs, call = map(int, counts)",
        _ANATOMY,
    ),
    ("figures/anatomy/__init__.py", "field, stride, start = (None", "field, start, stride = (None", _ANATOMY),
    ("figures/anatomy/__init__.py", "label: max(shape[1:])", "label: shape[0]", _ANATOMY),
    # What is computed
    (
        "figures/deconvnet/__init__.py",
        "scores.argsort(descending=True",
        "scores.argsort(descending=False",
        f"{_CARRIED}::test_patches_against_a_loop",
    ),
    (
        "figures/deconvnet/__init__.py",
        "answers.mean(dim=2).argmax(dim=1)",
        "answers.amax(dim=2).argmax(dim=1)",
        f"{_CARRIED}::test_the_channel_that_answers_most_is_that_of_the_largest_mean",
    ),
    ("figures/deconvnet/__init__.py", "value / len(scored)", "value", f"{_CARRIED}::test_numbers_against_numpy"),
    (
        "figures/deep_dream/__init__.py",
        "after / before if before",
        "before / after if before",
        f"{_DREAMT}::test_raises_the_activation_of_each_layer",
    ),
    (
        "figures/deep_dream/__init__.py",
        '/gain": after - before',
        '/gain": before - after',
        f"{_DREAMT}::test_a_channel_and_a_class_gain",
    ),
    ("figures/feature_maps/__init__.py", "np.argsort(-np.abs(maps)", "np.argsort(np.abs(maps)", _ACTIVE),
    ("figures/feature_maps/__init__.py", "~alive[layer].numpy()", "alive[layer].numpy()", _ACTIVE),
    ("figures/feature_maps/__init__.py", "(maps > 0).sum(dim=(0, 2, 3))", "(maps >= 0).sum(dim=(0, 2, 3))", _ACTIVE),
    ("figures/feature_maps/__init__.py", "dead[order]}", "dead[: len(order)]}", _ACTIVE),
    (
        "figures/maximal_images/__init__.py",
        "np.argsort(-scores[:, channels]",
        "np.argsort(scores[:, channels]",
        _STRONGEST,
    ),
    ("figures/maximal_images/__init__.py", "np.median(scores[:, channel])", "np.mean(scores[:, channel])", _STRONGEST),
    ("figures/maximal_images/__init__.py", '"index": scored[top]', '"index": top', _STRONGEST),
    ("figures/maximal_images/__init__.py", "1 - len(alive) / scores.shape[1]", "len(alive) / scores.shape[1]", _DEAD),
    # Columns
    ("drawing/rows.py", "max(across, least))", "least)", _ROWS),
    ("drawing/rows.py", "zip_longest(*cells)", "zip(*cells)", _ROWS),
    ("drawing/rows.py", "columns.titles(band, below=0.05)", "columns.titles([*band][::-1], below=0.05)", _ROWS),
    ("drawing/rows.py", "for label, x in zip(band, columns", "for label, x in zip([*band][::-1], columns", _ROWS),
]
