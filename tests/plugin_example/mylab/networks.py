"""Networks: what the engine supplies comes first, keyword-only parameters are the recipe's."""

import torch
from torch import Tensor, nn


class Generator(nn.Module):
    """Latent ⊙ embedding of the class -> dense -> two doublings -> images in [0, 1]."""

    output_range = (0.0, 1.0)  # of the images; real ones are scaled to it
    reads_labels = True  # so that `gan sample` draws every class

    def __init__(
        self, latent_dim: int, image_shape: tuple[int, int, int], num_classes: int, *, features: int = 16
    ) -> None:
        super().__init__()
        channels, height, width = image_shape
        if num_classes < 1 or height % 4 or width % 4:  # becomes one line that names the recipe's field
            raise ValueError(f"needs classes and sides that divide by 4, got {num_classes} and {height}×{width}")
        self.embedding = nn.Embedding(num_classes, latent_dim)
        self.layers = nn.Sequential(
            nn.Linear(latent_dim, 2 * features * (height // 4) * (width // 4)),
            nn.ReLU(),
            nn.Unflatten(1, (2 * features, height // 4, width // 4)),
            nn.ConvTranspose2d(2 * features, features, 4, stride=2, padding=1),
            nn.ReLU(),
            nn.ConvTranspose2d(features, channels, 4, stride=2, padding=1),
            nn.Sigmoid(),
        )

    def forward(self, latent: Tensor, labels: Tensor | None = None) -> Tensor:
        """Latent (N, latent_dim), labels (N,) or None: the classes in turn -> images (N, C, H, W)."""
        if labels is None:
            labels = torch.arange(len(latent), device=latent.device) % self.embedding.num_embeddings
        return self.layers(latent * self.embedding(labels))


class MinibatchDiscrimination(nn.Module):
    """Appends Σ_j exp(-‖M_i - M_j‖₁): how near the batch's images are (Salimans et al., 2016, sec. 3.2)."""

    mixes_batch = True  # so that real images and fakes go through D in two passes

    def __init__(self, features: int, *, kernels: int = 8, dims: int = 4) -> None:
        super().__init__()
        self.project = nn.Linear(features, kernels * dims, bias=False)
        self.shape = (kernels, dims)

    def forward(self, features: Tensor) -> Tensor:
        """(N, F) -> (N, F + kernels)."""
        rows = self.project(features).unflatten(1, self.shape)  # (N, kernels, dims)
        distances = (rows[:, None] - rows[None]).abs().sum(dim=3)  # (N, N, kernels)
        return torch.cat([features, torch.exp(-distances).sum(dim=1)], dim=1)


class Discriminator(nn.Module):
    """Images -> two halvings -> minibatch discrimination -> the logit, then the outputs of an auxiliary head."""

    def __init__(
        self, image_shape: tuple[int, int, int], num_classes: int, *, features: int = 16, outputs: int = 1
    ) -> None:
        super().__init__()
        channels, height, width = image_shape
        flat = 2 * features * (height // 4) * (width // 4)
        self.layers = nn.Sequential(
            nn.Conv2d(channels, features, 4, stride=2, padding=1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(features, 2 * features, 4, stride=2, padding=1),
            nn.LeakyReLU(0.2),
            nn.Flatten(),
            MinibatchDiscrimination(flat),
            nn.Linear(flat + 8, outputs),
        )

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        """Images (N, C, H, W) -> (N, outputs), logits first; these labels are not read."""
        return self.layers(images)
