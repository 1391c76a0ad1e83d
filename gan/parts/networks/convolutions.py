"""Convolutions, each as the computation that is fast for its sizes. Their parameters are those of PyTorch's layers."""

import torch
from torch import Tensor, nn


class Conv2d(nn.Conv2d):
    """A convolution. On a CPU a strided one of single-channel images is computed as a matrix product of its windows.

    oneDNN takes two to four times as long there. Padding is symmetric, and there are no groups.
    """

    def forward(self, images: Tensor) -> Tensor:
        """Maps (N, out, h, w) from maps (N, C, H, W)."""
        if self.in_channels > 1 or self.stride[0] == 1 or images.device.type != "cpu":
            return super().forward(images)
        assert not isinstance(self.padding, str)
        down, across = self.padding
        return self._as_product(nn.functional.pad(images, (across, across, down, down)))

    def _as_product(self, padded: Tensor) -> Tensor:
        """Maps (N, out, h, w), in memory as (N, h, w, out), from maps with their padding."""
        if torch.is_autocast_enabled(padded.device.type):  # the windows overlap: cast before they are copied
            padded = padded.to(torch.get_autocast_dtype(padded.device.type))
        (rows, columns), (down, across) = self.kernel_size, self.stride
        windows = padded.unfold(2, rows, down).unfold(3, columns, across)  # (N, C, h, w, rows, columns)
        windows = windows.permute(0, 2, 3, 1, 4, 5)
        flat = windows.reshape(-1, windows[0, 0, 0].numel())  # (N h w, C rows columns)
        products = nn.functional.linear(flat, self.weight.flatten(1), self.bias)
        return products.unflatten(0, windows.shape[:3]).permute(0, 3, 1, 2)


class ConvTranspose2d(nn.ConvTranspose2d):
    """A transposed convolution. On a CPU a strided one to single-channel images is computed as a matrix product.

    Padding is symmetric; there are no groups and no output padding.
    """

    def forward(self, images: Tensor, output_size: list[int] | None = None) -> Tensor:
        """Maps (N, out, H, W) from maps (N, C, h, w)."""
        if self.out_channels > 1 or self.stride[0] == 1 or images.device.type != "cpu":
            return super().forward(images)
        return self._as_product(images)

    def _as_product(self, images: Tensor) -> Tensor:
        """The same as a product of each pixel with the kernels, whose results are laid over one another and summed."""
        assert not isinstance(self.padding, str)
        pixels = images.flatten(2).mT  # (N, h w, C)
        columns = pixels @ self.weight.flatten(1)  # (N, h w, out rows columns)
        sizes = zip(images.shape[-2:], self.kernel_size, self.stride, self.padding, strict=True)
        height, width = ((size - 1) * stride + kernel - 2 * padding for size, kernel, stride, padding in sizes)
        whole = nn.functional.fold(
            columns.mT, (height, width), self.kernel_size, padding=self.padding, stride=self.stride
        )
        return whole if self.bias is None else whole + self.bias[:, None, None]


def _same_padding(size: int, kernel: int, stride: int, out: int) -> tuple[int, int]:
    """The padding at the start and at the end of a side of a convolution from `size` to `out` pixels.

    This is TensorFlow's SAME padding: an odd pixel goes to the end.
    """
    total = max((out - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


class SameConv2d(Conv2d):
    """Convolution with TensorFlow's SAME padding: it has ceil(size / stride) outputs along a side.

    An odd pixel of padding goes to the end. PyTorch's symmetric `padding=2` of a 5×5 stride-2 convolution would look
    one pixel further up and left.

    Maps that are smaller than the kernel go through a matrix product, since oneDNN's convolution takes three times as
    long there.
    """

    def forward(self, images: Tensor) -> Tensor:
        """Maps (N, out, ceil(H / stride), ceil(W / stride)) from maps (N, C, H, W)."""
        height, width = images.shape[-2:]
        kernel, stride = self.kernel_size[0], self.stride[0]
        top, bottom = _same_padding(height, kernel, stride, -(-height // stride))
        left, right = _same_padding(width, kernel, stride, -(-width // stride))
        padded = nn.functional.pad(images, (left, right, top, bottom))
        if min(height, width) >= kernel:
            return super().forward(padded)
        return self._as_product(padded).contiguous()


class PooledConv2d(SameConv2d):
    """A convolution of stride 1, then max pooling: as many outputs as `SameConv2d` with `pool` as its stride has."""

    def __init__(self, channels: int, out: int, kernel: int, pool: int) -> None:
        super().__init__(channels, out, kernel)
        self.pool = pool

    def forward(self, images: Tensor) -> Tensor:
        """Maps (N, out, ceil(H / pool), ceil(W / pool)) from maps (N, C, H, W)."""
        return nn.functional.max_pool2d(super().forward(images), self.pool, ceil_mode=True)


class EnlargedConv2d(SameConv2d):
    """Nearest ×2 upsampling, then a convolution of stride 1: (N, C, H, W) -> (N, out, 2H, 2W)."""

    def forward(self, images: Tensor) -> Tensor:
        """Maps (N, out, 2H, 2W) from maps (N, C, H, W)."""
        return super().forward(nn.functional.interpolate(images, scale_factor=2, mode="nearest"))


class SameConvTranspose2d(ConvTranspose2d):
    """Transposed convolution with TensorFlow's SAME padding, like tf.nn.conv2d_transpose with an output shape.

    It is the gradient of a `SameConv2d` with respect to that convolution's input.

    Args:
        size: (H, W) of the output. The input has ceil(H / stride) rows and ceil(W / stride) columns.
    """

    def __init__(
        self, channels: int, out: int, kernel: int, stride: int, size: tuple[int, int], bias: bool = True
    ) -> None:
        super().__init__(channels, out, kernel, stride=stride, bias=bias)
        self.size = tuple(size)

    def forward(self, images: Tensor, output_size: list[int] | None = None) -> Tensor:
        """Maps (N, out, H, W) from maps (N, C, h, w)."""
        # `whole` has (h - 1) * stride + kernel rows; the rows and columns of SAME's padding are cut off below.
        whole = super().forward(images) if min(self.size) >= self.kernel_size[0] else self._as_product(images)
        (top, _), (left, _) = (
            _same_padding(size, self.kernel_size[0], self.stride[0], small)
            for size, small in zip(self.size, images.shape[-2:], strict=True)
        )
        height, width = self.size
        missing = max(0, left + width - whole.shape[-1]), max(0, top + height - whole.shape[-2])  # kernel < stride
        whole = nn.functional.pad(whole, (0, missing[0], 0, missing[1]))
        return whole[..., top : top + height, left : left + width]


class UpsampledConv2d(nn.Conv2d):
    """Nearest ×2 upsampling, then a 5×5 convolution with padding 2: (N, C, H, W) -> (N, out, 2H, 2W).

    A pixel of the result sees 5×5 upsampled pixels, but only 3×3 different ones. Which of them are equal depends on
    whether the pixel's row and column are even or odd. So four 3×3 convolutions of the small map compute the same, when
    their results are interleaved. They need 9/25 of the products.
    """

    sums: Tensor
    # (parity p, tap of 3, tap of 5). Row 2i + p sees the upsampled rows 2i + p - 2 … 2i + p + 2. They are copies of the
    # rows i - 1, i, i + 1 of the small map. Taps on copies of one row are summed.
    SUMS = torch.tensor([[[1, 1, 0, 0, 0], [0, 0, 1, 1, 0], [0, 0, 0, 0, 1]],
                         [[1, 0, 0, 0, 0], [0, 1, 1, 0, 0], [0, 0, 0, 1, 1]]], dtype=torch.float32)  # fmt: skip

    def __init__(self, channels: int, out: int) -> None:
        super().__init__(channels, out, 5, padding=2)
        self.register_buffer("sums", self.SUMS.clone(), persistent=False)  # moves with the module

    def forward(self, images: Tensor) -> Tensor:
        """Maps (N, out, 2H, 2W) from maps (N, C, H, W)."""
        # (out, C, 5, 5) -> (out, row parity, column parity, C, 3, 3)
        kernels = torch.einsum("pai,ocij,qbj->opqcab", self.sums, self.weight, self.sums).flatten(0, 2)
        bias = None if self.bias is None else self.bias.repeat_interleave(4)
        interleaved = nn.functional.conv2d(images, kernels, bias, padding=1)
        return nn.functional.pixel_shuffle(interleaved, 2)
