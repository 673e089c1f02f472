"""Siamese networks: the same person or not, by the distance of two embeddings."""

from collections.abc import Callable
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Optimizer

from netgaze.batch import Batch
from netgaze.errors import NetgazeError
from netgaze.gathering import gather_rows, share_from_main
from netgaze.measures.collapse import embedding_std
from netgaze.measures.pair_losses import contrastive, draw_balanced_pairs, mining_contrastive, triplet
from netgaze.measures.verification import verify
from netgaze.measures.whitening import solve_whitening
from netgaze.tasks.base import Task
from netgaze.tasks.step import Step
from netgaze.verifier import ThresholdChoice, Verifier

MARGINS = {"contrastive": 2.0, "mining_contrastive": None, "triplet": 0.3}
CHUNK = 500  # images among which a validation loss compares pairs


class Siamese(Task, Verifier):
    """Embeddings [B,E] whose Euclidean distance is small for images of one class and large for those of two.

    All pairs of a batch are made from one pass over its images. At each epoch's end the threshold, up to which two
    images count as the same, is chosen anew on people that are not tested; it is saved with the weights.

    Args:
        model: the network; its outputs are the embeddings.
        num_classes, optimizer, schedule: see `Task`.
        loss: "contrastive", "mining_contrastive" or "triplet", see `netgaze.measures.pair_losses`. Contrastive takes
            every same pair of a batch and as many different ones, drawn at random.
        embedding_dim: E, the model's outputs; 0, where the model can, for the features before its last layer.
        normalize: whether embeddings have length 1; null for what the loss is usual with: mining_contrastive and
            triplet true, contrastive false.
        margin: of contrastive (null: 2.0) and triplet (null: 0.3).
        mined_fraction: of a batch's same pairs that mining_contrastive takes, the hardest.
        softmax_weight: of a cross-entropy over the training people that is learned jointly, by a linear layer on the
            embeddings before they are normalized; null for 1 with mining_contrastive, as its paper, and 0 otherwise.
        mirror: whether an embedding is the mean of the image's and of its mirror image's, outside training.
        whiten: the shrinkage, as 0.02, of a linear map after which images of one training person vary equally in all
            directions (see `whitening.within_class_whitening`); solved anew each epoch, used outside training; 0 for
            none.
        whiten_views: augmented views of each training image that the map is solved from.
        threshold_rule: "eer", "accuracy" or "far", see `verification.Verification.threshold`.
        threshold_far: the false-accept rate of the rule "far".
        threshold_from: "val" or "train": the people on whom the threshold is chosen. Those of training are told apart
            more easily than strangers, so that their threshold is strict, and costs a pass over them each epoch.
    """

    monitor = "val/auc"
    classifies = False
    takes_mixed = False

    def __init__(
        self,
        *,
        model: nn.Module,
        num_classes: int,
        optimizer: Callable[..., Optimizer],
        schedule: Callable[[float, float], float],
        loss: Literal["contrastive", "mining_contrastive", "triplet"] = "contrastive",
        embedding_dim: int = 128,
        normalize: bool | None = None,
        margin: float | None = None,
        mined_fraction: float = 0.5,
        softmax_weight: float | None = None,
        mirror: bool = False,
        whiten: float = 0.0,
        whiten_views: int = 16,
        threshold_rule: Literal["eer", "accuracy", "far"] = "eer",
        threshold_far: float = 0.01,
        threshold_from: Literal["val", "train"] = "val",
    ):
        super().__init__(model=model, num_classes=num_classes, optimizer=optimizer, schedule=schedule)
        for name, value, known in (
            ("loss", loss, tuple(MARGINS)),
            ("threshold_rule", threshold_rule, ("eer", "accuracy", "far")),
            ("threshold_from", threshold_from, ("val", "train")),
        ):
            if value not in known:
                raise NetgazeError(f"Unknown task.{name}={value}. Choose {', '.join(known[:-1])} or {known[-1]}.")
        for name, number, fits, said in (
            ("embedding_dim", embedding_dim, embedding_dim >= 0, "0 or more"),
            ("margin", margin, margin is None or margin > 0, "above 0, or null"),
            ("softmax_weight", softmax_weight, softmax_weight is None or softmax_weight >= 0, "0 or more, or null"),
            ("mined_fraction", mined_fraction, 0 < mined_fraction <= 1, "above 0 and up to 1"),
            ("threshold_far", threshold_far, 0 < threshold_far < 1, "between 0 and 1"),
            ("whiten", whiten, whiten >= 0, "0 or more"),
            ("whiten_views", whiten_views, whiten_views >= 1, "1 or more"),
        ):
            if not fits:
                raise NetgazeError(f"task.{name}={number} must be {said}.")
        if any(isinstance(layer, nn.Linear) and not layer.out_features for layer in model.modules()):
            raise NetgazeError(
                f"task.embedding_dim=0: {type(model).__name__} cannot do without its last layer. Choose another "
                "number, or model=grid_resnet."
            )
        self.objective, self.mined_fraction, self.mirror = loss, mined_fraction, mirror
        self.normalize = loss != "contrastive" if normalize is None else normalize
        self.margin = MARGINS[loss] if margin is None else margin
        weight = float(loss == "mining_contrastive") if softmax_weight is None else softmax_weight
        self.softmax_weight = weight
        size = embedding_dim or int(model.head_hidden_size)  # type: ignore[arg-type]
        self.classifier = nn.Linear(size, num_classes) if weight else None
        self.whiten, self.whiten_views = whiten, whiten_views
        self.center: Tensor
        self.projection: Tensor
        if whiten:
            self.register_buffer("center", torch.zeros(size))
            self.register_buffer("projection", torch.eye(size))
        self.threshold_choice = ThresholdChoice(threshold_rule, threshold_far, threshold_from)
        self.threshold: Tensor
        self.register_buffer("threshold", torch.tensor(torch.nan, dtype=torch.float64))
        self._batches: Callable[..., Any] | None = None

    def training_data(self, data: Any, device: torch.device) -> Any:
        """The data as it is; whitening and threshold are found for the network as it starts, too."""
        self.choose_threshold(data, device)
        return data

    def choose_threshold(self, data: Any, device: torch.device) -> None:
        """Solve the whitening and choose the threshold for the network as it is."""
        self._batches = data.batches
        mode = self.training
        self.to(device).eval()
        with torch.no_grad():
            self._solve_whitening()
            self.compute_metrics("val", *self._answered("val"))
        self.train(mode)  # Lightning trains a network in the mode in which it finds it

    def _answered(self, split: str) -> tuple[Tensor, Tensor]:
        """Embeddings [N,E] and labels [N] of a split as it is."""
        assert self._batches is not None
        parts = [(self.embed(batch.images.to(self.device)), batch.labels) for batch in self._batches(split)]
        embeddings, labels = (torch.cat(part) for part in zip(*parts, strict=True))
        _check_finite(embeddings)
        return embeddings, labels

    def on_validation_epoch_start(self) -> None:
        """Whiten by the network as it now is."""
        self._solve_whitening()

    def _solve_whitening(self) -> None:
        if not self.whiten:
            return
        assert self._batches is not None
        rows, people = [], []
        with torch.random.fork_rng(), torch.autocast(self.device.type, enabled=False):
            torch.manual_seed(0)  # the same views for every network
            for _ in range(self.whiten_views):
                for batch in self._batches("train", augmented=True):
                    rows.append(self.model(batch.images.to(self.device)).float())
                    people.append(batch.labels.to(self.device))
        embeddings = torch.cat(rows)
        _check_finite(embeddings)
        try:
            mean, projection = solve_whitening(embeddings, torch.cat(people), self.whiten)
        except ValueError as error:
            raise NetgazeError(f"task.whiten={self.whiten} is not possible: {error}.") from error
        self.center.copy_(mean)
        self.projection.copy_(projection)

    def forward(self, images: Tensor) -> Tensor:
        """[B,C,H,W] -> embeddings [B,E]: in training of the plain network, outside as `embed` gives them."""
        return self._placed(self.model(images).float()) if self.training else self.embed(images)

    def embed(self, images: Tensor) -> Tensor:
        """Embeddings [B,E] in fp32, mirrored and whitened where that is chosen, in evaluation mode."""
        with torch.autocast(images.device.type, enabled=False):  # a threshold stands for one precision
            raw = self.model(images)
            if self.mirror:
                raw = (raw + self.model(images.flip(3))) / 2
            return self._placed((raw - self.center) @ self.projection if self.whiten else raw)

    def _placed(self, raw: Tensor) -> Tensor:
        return F.normalize(raw, dim=1) if self.normalize else raw

    def loss(self, batch: Batch) -> Step:
        """The loss of the embeddings [B,E]; in training of those of all processes, with the softmax over the people."""
        if not self.training:
            embeddings = self(batch.images)
            loss, labels = self.criterion(embeddings, batch.labels), batch.labels
        else:
            # In an order that does not depend on which process has which image: pairs are drawn by their places.
            order = gather_rows(batch.index).argsort()
            raw, labels = gather_rows(self.model(batch.images).float())[order], gather_rows(batch.labels)[order]
            embeddings = self._placed(raw)
            loss = self.criterion(embeddings, labels)
            if self.classifier is not None:
                loss = loss + self.softmax_weight * F.cross_entropy(self.classifier(raw).float(), labels)
        return Step(loss, embeddings, labels, self.train_metrics(embeddings.detach(), labels))

    def criterion(self, logits: Tensor, targets: Tensor) -> Tensor:
        """The loss of embeddings [B,E] against labels [B]."""
        if self.objective == "mining_contrastive":
            return mining_contrastive(logits, targets, self.mined_fraction)
        if self.objective == "triplet":
            return triplet(logits, targets, self.margin)
        pairs = draw_balanced_pairs(targets)
        first, second, different = map(share_from_main, pairs) if self.training else pairs
        assert self.margin is not None
        return contrastive(logits[first], logits[second], different, self.margin)

    def train_metrics(self, outputs: Tensor, targets: Tensor) -> dict[str, Tensor]:
        """`embedding_std` of the embeddings [B,E]: near 0 they have collapsed to one point or direction."""
        return {"embedding_std": embedding_std(outputs)}

    def compute_metrics(self, split: str, outputs: Tensor, targets: Tensor) -> dict[str, float]:
        """Verification over all pairs of a split, with the threshold, which validation chooses."""
        _check_finite(outputs)
        if split == "val":
            self.threshold.fill_(self._chosen(outputs, targets))
        threshold = float(self.threshold)
        outputs = outputs.cpu()
        found = verify(outputs, targets.cpu(), cuts=[threshold])
        with torch.random.fork_rng():
            torch.manual_seed(0)  # the same pairs in every epoch, and in every process
            losses = [
                float(self.criterion(*part)) * len(part[1])
                for part in zip(outputs.split(CHUNK), targets.cpu().split(CHUNK), strict=True)
            ]
        numbers = {"loss": sum(losses) / len(targets), "eer": found.eer, "auc": found.auc}
        rates = found.at(threshold)
        return (
            numbers
            | {name: rates[name] for name in ("acc", "acc_macro")}
            | {"embedding_std": float(embedding_std(outputs))}
        )

    def _chosen(self, outputs: Tensor, targets: Tensor) -> float:
        """The threshold by the rule, from validation's embeddings [N,E] and labels [N], or from training's."""
        if self.threshold_choice.people == "train":
            outputs, targets = self._answered("train")
        return self.threshold_choice.choose(outputs, targets)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Write into the checkpoint, for people, how its threshold was chosen."""
        choice = self.threshold_choice
        checkpoint["threshold"] = {
            "value": float(self.threshold),
            "rule": choice.rule,
            "far": choice.far if choice.rule == "far" else None,
            "people": choice.people,
        }


def _check_finite(embeddings: Tensor) -> None:
    if not embeddings.isfinite().all():
        raise NetgazeError("The network's embeddings are no longer finite. Try a smaller optim.lr.")
