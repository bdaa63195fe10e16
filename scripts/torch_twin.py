"""The networks, losses and training step once more in PyTorch, with the same weights, to measure against.

What looks shall be like is left out: means and spreads of eight crops cost nothing beside the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import torch
import torch._functorch.config
from torch import nn
from torch.nn import functional

from gan_worker.gan.training.step import TrainingStep

LEAK = 0.2


def tensor(values: Any) -> torch.Tensor:
    """An array of TensorFlow's or NumPy's; pictures (batch, height, width, channels) get PyTorch's order of axes."""
    found = torch.from_numpy(np.array(values))
    return found.permute(0, 3, 1, 2) if found.ndim == 4 else found


def circular_pad(x: torch.Tensor) -> torch.Tensor:
    # PyTorch's own circular padding loses the order of axes in memory that its convolutions are fastest with.
    x = torch.cat([x[:, :, -1:], x, x[:, :, :1]], 2)
    return torch.cat([x[..., -1:], x, x[..., :1]], 3)


def upsample(x: torch.Tensor) -> torch.Tensor:
    x = functional.interpolate(circular_pad(x), scale_factor=2, mode="bilinear")
    return x[:, :, 2:-2, 2:-2]


def centre(x: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    height, width = like.shape[2:]
    top, left = (x.shape[2] - height) // 2, (x.shape[3] - width) // 2
    return x[:, :, top : top + height, left : left + width]


def pixel_norm(x: torch.Tensor) -> torch.Tensor:
    return x * torch.rsqrt(x.square().mean(1, keepdim=True) + 1e-6)


def leaky_relu(x: torch.Tensor) -> torch.Tensor:
    return functional.leaky_relu(x, LEAK)


class Convolution(nn.Module):
    """Of a Keras layer its weights."""

    def __init__(self, layer: Any):
        super().__init__()
        kernel = torch.from_numpy(layer.kernel.numpy().transpose(3, 2, 0, 1).copy())
        self.weight = nn.Parameter(kernel.contiguous(memory_format=torch.channels_last))
        self.bias = nn.Parameter(torch.from_numpy(layer.bias.numpy().copy()))
        self.circular = layer.circular and layer.size == 3
        self.padding = 0 if self.circular else layer.size // 2

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = circular_pad(x) if self.circular else x
        return functional.conv2d(x, self.weight, self.bias, padding=self.padding)


class Dense(nn.Linear):
    """Of a Keras layer its weights."""

    def __init__(self, layer: Any):
        kernel, bias = layer.get_weights()
        super().__init__(*kernel.shape)
        self.weight = nn.Parameter(torch.from_numpy(kernel.T.copy()))
        self.bias = nn.Parameter(torch.from_numpy(bias.copy()))


class StyleNorm(nn.Module):
    def __init__(self, layer: Any):
        super().__init__()
        self.affine = Dense(layer.affine)

    def forward(self, x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
        scale, shift = self.affine(w)[:, :, None, None].chunk(2, 1)
        return pixel_norm(x) * (1 + scale) + shift


class StyleBlock(nn.Module):
    def __init__(self, layer: Any):
        super().__init__()
        self.norm = StyleNorm(layer.norm)
        self.first, self.second = Convolution(layer.first), Convolution(layer.second)

    def forward(self, x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
        return x + self.second(leaky_relu(self.first(leaky_relu(self.norm(x, w)))))


class Generator(nn.Module):
    """`gan_worker.gan.networks.generator.Generator` with the weights it has now; pictures are channels first."""

    def __init__(self, source: Any):
        super().__init__()
        self.mapping = nn.ModuleList(map(Dense, source.mapping))
        self.entry, self.exit = Convolution(source.entry), Convolution(source.exit)
        self.levels = nn.ModuleList(nn.ModuleList(map(StyleBlock, b)) for b in source.levels)
        self.narrow = nn.ModuleList(map(Convolution, source.narrow))
        self.grain = nn.ParameterList(
            torch.from_numpy(g.strength.numpy())[:, None, None] for g in source.grain
        )
        self.exit_norm = StyleNorm(source.exit_norm)

    def synthesis(
        self, w: torch.Tensor, local: torch.Tensor, noise: Sequence[torch.Tensor]
    ) -> torch.Tensor:
        x = self.entry(local)
        for block in self.levels[0]:
            x = block(x, w)
        for level, field in enumerate(noise):
            x = centre(upsample(self.narrow[level](x)), field) + field * self.grain[level]
            for block in self.levels[level + 1]:
                x = block(x, w)
        return self.exit(leaky_relu(self.exit_norm(x, w)))

    def forward(
        self, z: torch.Tensor, local: torch.Tensor, noise: Sequence[torch.Tensor]
    ) -> torch.Tensor:
        w = pixel_norm(z)
        for layer in self.mapping:
            w = leaky_relu(layer(w))
        return self.synthesis(w, local, noise)


class Residual(nn.Module):
    def __init__(self, layer: Any):
        super().__init__()
        self.first, self.second = Convolution(layer.first), Convolution(layer.second)
        self.shortcut = Convolution(layer.shortcut)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        residual = functional.avg_pool2d(leaky_relu(self.first(leaky_relu(x))), 2)
        shortcut = self.shortcut(functional.avg_pool2d(x, 2))
        return (shortcut + self.second(residual)) * 0.5**0.5


class Discriminator(nn.Module):
    """`gan_worker.gan.networks.discriminator.Discriminator` with the weights it has now."""

    def __init__(self, source: Any):
        super().__init__()
        self.entry, self.last = Convolution(source.entry), Convolution(source.last)
        self.blocks = nn.ModuleList(map(Residual, source.blocks))
        self.exit = Convolution(source.exit)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.entry(x)
        for block in self.blocks:
            x = block(x)
        return self.exit(leaky_relu(self.last(leaky_relu(x))))[:, 0]


def gradient_penalty(
    discriminator: Callable[[torch.Tensor], torch.Tensor], crops: torch.Tensor, signs: torch.Tensor
) -> torch.Tensor:
    crops = crops.detach().requires_grad_()
    total = (discriminator(crops) * signs).sum()
    (gradient,) = torch.autograd.grad(total, crops, create_graph=True)
    return gradient.square().sum() / signs.numel()


def patch_distance(
    real: torch.Tensor, fake: torch.Tensor, kernels: Iterable[torch.Tensor]
) -> torch.Tensor:
    total = torch.zeros(())
    for kernel, stride in zip(kernels, (3, 2, 1), strict=True):
        total = total + sorted_distance(
            *(functional.conv2d(x, kernel, stride=stride) for x in (real, fake))
        )
        total = total + sorted_distance(
            *((local_variance(x, 7, stride) + 1e-3).sqrt() for x in (real, fake))
        )
        real, fake = functional.avg_pool2d(real, 2), functional.avg_pool2d(fake, 2)
    return total


def local_variance(x: torch.Tensor, side: int, stride: int) -> torch.Tensor:
    mean, square = (functional.avg_pool2d(v, side, stride) for v in (x, x.square()))
    return (square - mean.square()).clamp(min=0)


def sorted_distance(real: torch.Tensor, fake: torch.Tensor) -> torch.Tensor:
    pair = [x.permute(0, 2, 3, 1).flatten(0, 2).float().sort(dim=0).values for x in (real, fake)]
    return (pair[0] - pair[1]).abs().mean()


class Twin:
    """`gan_worker.gan.training.step.TrainingStep` in PyTorch, from the weights that one has now.

    Args:
        update: what to do the same as.
        compiled: with torch.compile where it can be: gradients of gradients have to stay out.
        bfloat16: with PyTorch's automatic choice of bfloat16.
    """

    def __init__(self, update: TrainingStep, compiled: bool = False, bfloat16: bool = False):
        self.network, self.parameters, self.bfloat16 = update.network, update.parameters, bfloat16
        self.generator, self.ema = Generator(update.generator), Generator(update.ema_generator)
        self.discriminator = Discriminator(update.discriminator)
        self.generate, self.judge = self.generator, self.discriminator
        if compiled:
            # What a backward pass keeps is needed twice: both networks learn from the same pictures.
            torch._functorch.config.donated_buffer = False
            self.generate, self.judge = torch.compile(self.generator), torch.compile(self.judge)
        p = self.parameters
        self.nets = (list(self.generator.parameters()), list(self.discriminator.parameters()))
        self.optimizers = [
            torch.optim.Adam(n, p.learning_rate, (p.beta_1, p.beta_2), 1e-7) for n in self.nets
        ]
        self.waves = update.waves[0]
        self.torus = update._torus
        self.pixels = torch.from_numpy(update.dataset._pixels.numpy())
        self.sizes = update.dataset._sizes.numpy()
        self.starts = update.dataset._starts.numpy()
        self.channels = update.dataset.channels

    def crops(self) -> torch.Tensor:
        """Random crops of the real pictures."""
        crop, found = self.network.crop, []
        for which in np.random.randint(len(self.starts), size=self.network.batch):
            height, width = self.sizes[which]
            start = self.starts[which]
            picture = self.pixels[start : start + height * width].view(height, width, -1)
            top, left = np.random.randint(height - crop + 1), np.random.randint(width - crop + 1)
            found.append(picture[top : top + crop, left : left + crop])
        return torch.stack(found).float().permute(0, 3, 1, 2)

    def draw(self) -> tuple[torch.Tensor, torch.Tensor, list[torch.Tensor]]:
        """Latents of a step; waves cost nothing beside the rest and are noise here."""
        network, (rows, columns) = self.network, self.torus
        inputs = network.local_channels + 2 * self.waves
        local = torch.randn(network.batch, rows, columns, inputs).permute(0, 3, 1, 2)
        noise = [
            torch.randn(network.batch, 1, rows * 2**i, columns * 2**i)
            for i in range(1, len(network.generator_channels))
        ]
        looks = self.parameters.looks
        z = torch.randn(looks, network.z_dim).repeat_interleave(network.batch // looks, 0)
        return z, local, noise

    def kernels(self) -> list[torch.Tensor]:
        """Directions of the patch distance, of length 1."""
        drawn = torch.randn(3, 32, self.channels, 7, 7)
        return list(drawn / drawn.square().sum((2, 3, 4), keepdim=True).sqrt())

    def losses(
        self,
        real: torch.Tensor,
        latents: tuple[torch.Tensor, torch.Tensor, list[torch.Tensor]],
        kernels: list[torch.Tensor],
        signs: torch.Tensor | None,
    ) -> dict[str, torch.Tensor]:
        """What a step makes smaller; `signs` are there on steps with penalties."""
        crop, stride = self.network.crop, self.network.stride
        torus = self.generate(*latents)
        shift = [cells // 2 * stride for cells in self.torus]
        fake = torch.roll(torus, shift, (2, 3))[:, :, :crop, :crop]
        difference = self.judge(real) - self.judge(fake)
        found = {
            "discriminator": functional.softplus(-difference).mean(),
            "generator": functional.softplus(difference).mean(),
            "patch_distance": self._distance(real, fake, kernels),
        }
        if signs is not None:
            found["r1_penalty"] = gradient_penalty(self.discriminator, real, signs)
            found["r2_penalty"] = gradient_penalty(self.discriminator, fake, signs)
        return found

    def _distance(
        self, real: torch.Tensor, fake: torch.Tensor, kernels: list[torch.Tensor]
    ) -> torch.Tensor:
        """Mean of that of each look's crops."""
        looks = self.parameters.looks
        pairs = zip(real.chunk(looks), fake.chunk(looks), strict=True)
        return torch.stack([patch_distance(*pair, kernels) for pair in pairs]).mean()

    def step(self, number: int) -> None:
        """Update both networks once."""
        p, patches = self.parameters, self.network.crop // 2 ** (len(self.discriminator.blocks))
        signs = None
        if number % p.penalty_every == 0:
            signs = torch.randint(0, 2, (self.network.batch, patches, patches)) * 2.0 - 1
        drawn = self.crops(), self.draw(), self.kernels(), signs
        with torch.autocast("cpu", torch.bfloat16, enabled=self.bfloat16):
            found = self.losses(*drawn)
        total = found["generator"] + p.patch_weight * found["patch_distance"]
        penalised = found["discriminator"]
        if signs is not None:
            weight = p.gamma / 2 * self.channels / 3 * p.penalty_every
            penalised = penalised + weight * (found["r1_penalty"] + found["r2_penalty"])
        gradients = [
            torch.autograd.grad(loss, net, retain_graph=True)
            for loss, net in zip((total, penalised), self.nets, strict=True)
        ]
        self._apply(gradients, min(p.ema, (1 + number) / (10 + number)))

    def _apply(self, gradients: Sequence[Sequence[torch.Tensor]], memory: float) -> None:
        for optimizer, net, found in zip(self.optimizers, self.nets, gradients, strict=True):
            for parameter, gradient in zip(net, found, strict=True):
                parameter.grad = gradient
            optimizer.step()
        with torch.no_grad():
            means = list(self.ema.parameters())
            torch._foreach_lerp_(means, self.nets[0], 1 - memory)
