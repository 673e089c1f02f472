"""Networks as people bring them, which know nothing of this project."""

import torch
import torch.nn as nn
import torch.nn.functional as F


class CourseNet(nn.Module):
    """A plain CNN in one Sequential, with ReLUs in place."""

    def __init__(self, width=8):
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(3, width, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(2),
            nn.Conv2d(width, 2 * width, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(2 * width * 64, 24),
            nn.ReLU(inplace=True),
            nn.Linear(24, 10),
        )

    def forward(self, x):
        return self.net(x)


class Pooled(nn.Module):
    """BatchNorm, one ReLU for all, a global average, a linear layer."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 8, 3, padding=1)
        self.bn1 = nn.BatchNorm2d(8)
        self.conv2 = nn.Conv2d(8, 16, 3, stride=2, padding=1)
        self.bn2 = nn.BatchNorm2d(16)
        self.act = nn.ReLU(inplace=True)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(16, 10)

    def forward(self, x):
        x = self.act(self.bn1(self.conv1(x)))
        x = self.act(self.bn2(self.conv2(x)))
        return self.fc(self.pool(x).flatten(1))


class Functional(nn.Module):
    """All that has no weights is a function; it ends in a log-softmax."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 6, 5)
        self.conv2 = nn.Conv2d(6, 16, 5)
        self.fc1 = nn.Linear(400, 20)
        self.fc2 = nn.Linear(20, 10)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x), inplace=True), 2)
        x = F.max_pool2d(F.relu_(self.conv2(x)), 2)
        x = F.relu(self.fc1(x.view(x.size(0), -1)))
        return F.log_softmax(self.fc2(x), dim=1)


class Output(dict):
    """Parts by name and as attributes."""

    def __init__(self, **parts):
        super().__init__(**parts)
        self.__dict__ = self


class ObjectOutput(nn.Module):
    """In Hugging Face's form: an object whose logits are one part."""

    def __init__(self, num_classes=10):
        super().__init__()
        self.body = Pooled()
        self.body.fc = nn.Identity()
        self.classifier = nn.Linear(16, num_classes)

    def forward(self, pixel_values, labels=None):
        hidden = self.body(pixel_values)
        return Output(hidden_states=hidden, logits=self.classifier(hidden))


class TwoHeads(Pooled):
    """Two answers at once."""

    def __init__(self):
        super().__init__()
        self.other = nn.Linear(16, 4)

    def forward(self, x):
        x = self.pool(self.act(self.bn2(self.conv2(self.act(self.conv1(x)))))).flatten(1)
        return self.fc(x), self.other(x)


class Perceptron(nn.Module):
    """Without convolutions."""

    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Flatten(), nn.LazyLinear(24), nn.ReLU(), nn.Linear(24, 10))

    def forward(self, x):
        return self.net(x)


class ClassToken(nn.Module):
    """A transformer whose head reads a token of its own."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Conv2d(3, 16, 8, 8)
        self.token = nn.Parameter(torch.randn(1, 1, 16))
        self.place = nn.Parameter(torch.randn(1, 17, 16))
        layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True, norm_first=True)
        self.blocks = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.norm = nn.LayerNorm(16)
        self.head = nn.Linear(16, 10)

    def forward(self, x):
        x = self.embed(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(len(x), -1, -1), x], 1) + self.place
        return self.head(self.norm(self.blocks(x))[:, 0])


class Tempered(Pooled):
    """Its logits are not what its last layer gives."""

    def forward(self, x):
        return super().forward(x) / 3


class NoEnd(nn.Module):
    """Without a linear layer."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 10, 3)

    def forward(self, x):
        return self.conv(x).mean((2, 3))


def make_pooled(**kwargs):
    """A function that makes a network."""
    return Pooled(**kwargs)
