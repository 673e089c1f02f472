"""Attention weights as the layers themselves give them, or as a loop does; which tokens are read; what is refused."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from netgaze.errors import NetgazeError
from netgaze.inside.attention import find_read, has_attention, read_attention

IMAGES = torch.randn(3, 3, 8, 8, generator=torch.Generator().manual_seed(1))


def fuse(query, key, value, **more):
    return F.scaled_dot_product_attention(query, key, value, **more)


def weigh_eagerly(query, key, value):
    """As most code writes it that needs the weights."""
    scores = torch.matmul(query, key.transpose(-1, -2)) / math.sqrt(query.shape[-1])
    weights = F.dropout(F.softmax(scores, dim=-1, dtype=torch.float32).to(query.dtype), 0.1, training=False)
    return torch.matmul(weights, value)


def sum_by_letters(query, key, value):
    scores = torch.einsum("bhid,bhjd->bhij", query, key) * query.shape[-1] ** -0.5
    return torch.einsum("bhij,bhjd->bhid", scores.softmax(-1), value)


class Tokens(nn.Module):
    """Patches of 4x4 behind a class token, blocks of attention, and a classifier of what `read` picks."""

    def __init__(self, blocks, read=lambda tokens: tokens[:, 0], width=12):
        super().__init__()
        self.patches, self.first = nn.Conv2d(3, width, 4, 4), nn.Parameter(torch.randn(1, 1, width))
        self.blocks, self.norm, self.fc = nn.ModuleList(blocks), nn.LayerNorm(width), nn.Linear(width, 4)
        self.read = read

    def forward(self, images):
        tokens = self.patches(images).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.first.expand(len(images), -1, -1), tokens], dim=1)
        for block in self.blocks:
            tokens = block(tokens)
        return self.fc(self.read(self.norm(tokens)))


class Block(nn.Module):
    """Attention of some heads by `attend`, and an MLP, both added to what came in."""

    def __init__(self, attend=fuse, heads=3, width=12):
        super().__init__()
        self.heads, self.attend = heads, attend
        self.qkv, self.out, self.mlp = nn.Linear(width, 3 * width), nn.Linear(width, width), nn.Linear(width, width)

    def split(self, tokens):
        """Queries, keys and values, [B,H,T,D] each."""
        return self.qkv(tokens).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)

    def forward(self, tokens):
        found = self.attend(*self.split(tokens))
        tokens = tokens + self.out(found.transpose(1, 2).flatten(2))
        return tokens + self.mlp(tokens).relu()


def make(*blocks, **more):
    torch.manual_seed(0)
    return Tokens([make_block() for make_block in blocks], **more).eval()


def loop_weights(query, key, mask=None):
    """exp of the scaled scores of each pair, over their sum."""
    weights = torch.zeros(*query.shape[:3], key.shape[2])
    for image, head, row in torch.cartesian_prod(*map(torch.arange, query.shape[:3])).tolist():
        scores = [float(query[image, head, row] @ other) / math.sqrt(query.shape[3]) for other in key[image, head]]
        scores = [s + (0 if mask is None else float(mask[row, place])) for place, s in enumerate(scores)]
        total = sum(math.exp(score) for score in scores)
        weights[image, head, row] = torch.tensor([math.exp(score) / total for score in scores])
    return weights


@torch.no_grad()
def expect(model, mask=None):
    """Weights of each block by the loop, from what reaches it."""
    inputs = []
    handles = [block.register_forward_pre_hook(lambda _, args: inputs.append(args[0])) for block in model.blocks]
    model(IMAGES)
    for handle in handles:
        handle.remove()
    parts = [block.split(tokens) for block, tokens in zip(model.blocks, inputs, strict=True)]
    return [loop_weights(query, key, mask) for query, key, _ in parts]


@pytest.mark.parametrize("attend", [fuse, weigh_eagerly, sum_by_letters])
def test_weights_are_those_of_a_loop(attend):
    model = make(lambda: Block(attend), lambda: Block(attend))
    found = read_attention(model, IMAGES)
    assert [weights.shape for weights in found] == [(3, 3, 5, 5)] * 2
    for weights, expected in zip(found, expect(model), strict=True):
        torch.testing.assert_close(weights, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", ["float", "learned", "bool", "causal"])
def test_masks_count(kind):
    mask = torch.randn(5, 5)
    allowed = torch.ones(5, 5, dtype=torch.bool).tril()
    blocked = torch.zeros(5, 5).masked_fill(~allowed, -math.inf)
    given = {
        "float": {"attn_mask": mask},
        "learned": {"attn_mask": nn.Parameter(mask)},
        "bool": {"attn_mask": allowed},
        "causal": {"is_causal": True},
    }[kind]
    model = make(lambda: Block(lambda *qkv: fuse(*qkv, **given)))
    (found,), (expected,) = (
        read_attention(model, IMAGES),
        expect(model, mask if kind in ("float", "learned") else blocked),
    )
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_a_scale_of_its_own_counts():
    sharp = make(lambda: Block(lambda query, key, value: fuse(query, key, value, scale=3.0)))
    plain = make(lambda: Block(lambda query, key, value: fuse(query * 3.0 * query.shape[-1] ** 0.5, key, value)))
    torch.testing.assert_close(read_attention(sharp, IMAGES)[0], read_attention(plain, IMAGES)[0])


def test_heads_may_share_their_keys():
    """Four heads of queries, two of keys: the first two share the first."""

    def share(query, key, value):
        return fuse(query, key[:, :2], value[:, :2], enable_gqa=True)

    def repeat(query, key, value):
        return fuse(query, key[:, [0, 0, 1, 1]], value[:, [0, 0, 1, 1]])

    found = [read_attention(make(lambda attend=attend: Block(attend, 4)), IMAGES)[0] for attend in (share, repeat)]
    torch.testing.assert_close(*found)


class Own(nn.Module):
    """Torch's attention, which keeps the weights that it is asked for."""

    def __init__(self, batch_first=True):
        super().__init__()
        self.layer, self.batch_first, self.kept = nn.MultiheadAttention(12, 4, batch_first=batch_first), batch_first, []
        self.asked = False

    def forward(self, tokens):
        shown = tokens if self.batch_first else tokens.transpose(0, 1)
        if self.asked:
            self.kept.append(self.layer(shown, shown, shown, need_weights=True, average_attn_weights=False)[1])
        found = self.layer(shown, shown, shown, need_weights=self.asked)[0]
        return tokens + (found if self.batch_first else found.transpose(0, 1))


@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize("asked", [False, True])
def test_weights_are_those_of_torchs_own_attention(batch_first, asked):
    model = make(lambda: Own(batch_first), lambda: Own(batch_first))
    with torch.no_grad():
        model.requires_grad_(False)  # so that the fast path would be taken
        for block in model.blocks:
            block.asked = True
        model(IMAGES)
        expected = [block.kept.pop() for block in model.blocks]
    for block in model.blocks:
        block.asked = asked
    found = read_attention(model, IMAGES)
    if asked:  # asked twice in each block
        found = found[::2]
    assert len(found) == 2
    for weights, own in zip(found, expected, strict=True):
        torch.testing.assert_close(weights, own, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("norm_first", [False, True])
def test_torchs_own_encoder_is_seen_in_spite_of_its_fast_path(norm_first):
    """Which it would take: the number of heads is even, and nothing asks for gradients."""

    def make_layer():
        return nn.TransformerEncoderLayer(12, 4, 24, batch_first=True, norm_first=norm_first)

    model = make(make_layer, make_layer).requires_grad_(False)
    found = read_attention(model, IMAGES)
    assert [weights.shape for weights in found] == [(3, 4, 5, 5)] * 2
    tokens = torch.cat([model.first.expand(3, -1, -1), model.patches(IMAGES).flatten(2).mT], dim=1)
    shown = model.blocks[0].norm1(tokens) if norm_first else tokens
    own = model.blocks[0].self_attn(shown, shown, shown, need_weights=True, average_attn_weights=False)[1]
    torch.testing.assert_close(found[0], own, rtol=1e-4, atol=1e-6)
    assert torch.backends.mha.get_fastpath_enabled()


@pytest.mark.parametrize("attend", [fuse, weigh_eagerly])
def test_the_network_answers_as_it_does_unseen(attend):
    model, seen = make(lambda: Block(attend), lambda: Block(attend)), []
    with torch.no_grad():
        expected = model(IMAGES)
    model.register_forward_hook(lambda *said: seen.append(said[2].detach()))
    read_attention(model, IMAGES)
    find_read(model, IMAGES[:1])
    assert torch.equal(seen[0], expected)
    torch.testing.assert_close(seen[1], expected[:1])
    assert all(parameter.grad is None for parameter in model.parameters())


READ = {
    "class token": (lambda tokens: tokens[:, 0], [0]),
    "patches": (lambda tokens: tokens[:, 1:].mean(dim=1), [1, 2, 3, 4]),
    "all": (lambda tokens: tokens.mean(dim=1), [0, 1, 2, 3, 4]),
}


@pytest.mark.parametrize("make_block", [Block, lambda: Block(weigh_eagerly), Own], ids=["fused", "eager", "torch"])
@pytest.mark.parametrize("name", READ)
def test_what_is_read_is_known_by_the_gradients(name, make_block):
    read, expected = READ[name]
    model = make(make_block, make_block, read=read).requires_grad_(False)
    assert find_read(model, IMAGES[:1]).nonzero().flatten().tolist() == expected


def test_what_is_cut_off_is_said():
    model = make(Block, read=lambda tokens: tokens[:, 0].detach())
    with pytest.raises(NetgazeError, match="No gradient of the logits comes back"):
        find_read(model, IMAGES[:1])


def within_windows(query, key, value):
    cut = [part.unflatten(2, (2, -1)).transpose(1, 2).flatten(0, 1) for part in (query, key, value)]
    return fuse(*cut).unflatten(0, (-1, 2)).transpose(1, 2).flatten(2, 3)


class Drop(nn.Module):
    def forward(self, tokens):
        return tokens[:, 1:]


@pytest.mark.parametrize(
    ("blocks", "words"),
    [
        ((Drop, lambda: Block(within_windows)), "within windows .here of 2 tokens."),
        ((Block, Drop, Block), r"number of tokens changes \(5, 4\)"),
        ((lambda: Block(lambda q, k, v: fuse(q, k[:, :, ::2], v[:, :, ::2])),), "of 5 queries to 3 tokens"),
    ],
)
def test_what_cannot_be_followed_is_said(blocks, words):
    model = make(*blocks)
    assert has_attention(model, IMAGES[:1])
    with pytest.raises(NetgazeError, match=words):
        read_attention(model, IMAGES)


class Gate(nn.Module):
    """A softmax over places that weighs no matrix product, and a product that no softmax weighs."""

    def forward(self, tokens):
        shares = tokens.mT.softmax(dim=-1).mT
        return tokens * shares + torch.bmm(torch.bmm(tokens, tokens.mT), tokens)


def test_not_every_softmax_is_attention():
    assert not has_attention(make(Gate), IMAGES[:1])
    assert not has_attention(nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(144, 5)), IMAGES[:1])
    assert has_attention(make(Block), IMAGES[:1])


class TestTimm:
    @pytest.fixture
    def timm(self):
        return pytest.importorskip("timm", reason="timm is not here (pip install netgaze[timm])")

    def test_fused_or_not_the_weights_are_the_same(self, timm):
        found = []
        for fused in (True, False):
            torch.manual_seed(0)
            model = timm.create_model("vit_tiny_patch16_224", img_size=64, depth=3, num_classes=4).eval()
            for block in model.blocks:
                block.attn.fused_attn = fused
            found.append(read_attention(model, torch.randn(2, 3, 64, 64)))
        assert [weights.shape for weights in found[0]] == [(2, 3, 17, 17)] * 3
        for fused, plain in zip(*found, strict=True):
            torch.testing.assert_close(fused, plain, rtol=1e-4, atol=1e-6)

    def test_they_are_timms_own(self, timm):
        """Timm lets one read them where they are dropped out of."""
        torch.manual_seed(0)
        model = timm.create_model("vit_tiny_patch16_224", img_size=32, depth=2, num_classes=4).eval()
        kept, images = [], torch.randn(2, 3, 32, 32)
        for block in model.blocks:
            block.attn.fused_attn = False
            block.attn.attn_drop.register_forward_hook(lambda *said: kept.append(said[2]))
        found = read_attention(model, images)
        assert len(kept) == 2
        for weights, own in zip(found, kept, strict=True):
            torch.testing.assert_close(weights, own)

    @pytest.mark.parametrize(("pool", "read"), [("token", [0]), ("avg", [1, 2, 3, 4])])
    def test_what_is_read_follows_global_pool(self, timm, pool, read):
        model = timm.create_model("vit_tiny_patch16_224", img_size=32, depth=2, num_classes=4, global_pool=pool).eval()
        assert find_read(model, torch.randn(1, 3, 32, 32)).nonzero().flatten().tolist() == read

    def test_swin_is_refused(self, timm):
        model = timm.create_model("swin_tiny_patch4_window7_224", img_size=64, num_classes=4).eval()
        with pytest.raises(NetgazeError, match="within windows"):
            read_attention(model, torch.randn(2, 3, 64, 64))
