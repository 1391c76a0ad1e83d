"""A generator as ONNX, for programs that have no PyTorch. It is given out only if onnxruntime draws the same images."""

import importlib.util
import warnings
from typing import Any

import torch
from torch import Tensor, nn

from gan.base.errors import UserError
from gan.base.images import to_uint8
from gan.base.streams import stream
from gan.engine.sampling import Sampler

PACKAGES = ("onnx", "onnxruntime", "onnxscript")
IMAGES = 100  # that both programs draw, at least
MAX_SHARE = 1e-3  # of pixels that may be one grey level apart. What was seen is less than 1e-4


def refuse_without_packages() -> None:
    """Raise UserError if a package is missing that writes or runs ONNX."""
    missing = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise UserError(
            f"model.onnx needs {', '.join(missing)}; give pip install 'gan[onnx]', or --no-onnx to leave it out"
        )


class _Drawing(nn.Module):
    """Maps latents (N, latent_dim) and labels (N,) to images (N, C, H, W) in [0, 1], in evaluation mode."""

    def __init__(self, sampler: Sampler) -> None:
        super().__init__()
        self.generator = sampler.generator
        self.low, self.high = sampler.output_range
        self.eval()

    def forward(self, latent: Tensor, labels: Tensor | None = None) -> Tensor:
        return ((self.generator(latent, labels) - self.low) / (self.high - self.low)).clamp(0, 1)


def to_onnx(sampler: Sampler, what: str) -> bytes:
    """Return the ONNX model of a loaded generator.

    Its inputs are `latent` (N, latent_dim) float32 and, of a conditional generator, `labels` (N,) int64. Its output is
    `images` (N, C, H, W) float32 in [0, 1]. N is any number, but that of a training batch for a generator that
    normalises by its batch. Raises UserError, which begins with `what`, for a generator that cannot be written so, and
    for one that draws other images in onnxruntime than here.
    """
    refuse_without_packages()
    inputs = _inputs(sampler, sampler.block if sampler.by_batch else 2, 0)
    axes: Any = None if sampler.by_batch else tuple({0: "batch"} for _ in inputs)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            program = torch.onnx.export(
                _Drawing(sampler),
                inputs,
                dynamo=True,
                verbose=False,
                input_names=["latent", "labels"][: len(inputs)],
                output_names=["images"],
                dynamic_shapes=axes,
            )
        assert program is not None
        _forget_places(program.model)
        content = program.model_proto.SerializeToString()
    except Exception as error:  # the exporter raises whatever a network's own code leads to
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:160]
        raise UserError(f"{what}: cannot be written as ONNX ({reason}); give --no-onnx to leave it out") from error
    _refuse_other_images(content, sampler, what)
    return content


def _inputs(sampler: Sampler, num: int, seed: int) -> tuple[Tensor, ...]:
    """Return latents and, of a conditional generator, labels of `num` images."""
    latent = sampler.prior((num, sampler.latent_dim), stream("onnx", seed))
    labels = torch.arange(num).remainder(sampler.num_classes) if sampler.num_classes else None
    return (latent,) if labels is None else (latent, labels)


def _forget_places(model: Any) -> None:
    """Remove the lines of code that each operation came from: they name folders of this machine."""
    for graph in (model.graph, *model.functions.values()):
        graph.metadata_props.clear()
        for node in graph:
            node.metadata_props.clear()
            for value in node.outputs:
                value.metadata_props.clear()
        for value in (*graph.inputs, *getattr(graph, "initializers", {}).values()):
            value.metadata_props.clear()


def _refuse_other_images(content: bytes, sampler: Sampler, what: str) -> None:
    """Raise UserError unless onnxruntime draws the generator's images, in batches of another size than was traced."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # what fails is an exception
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    apart = []
    for seed, num in enumerate([sampler.block] * -(-IMAGES // sampler.block) if sampler.by_batch else [1, IMAGES], 1):
        inputs = _inputs(sampler, num, seed)
        feed = {name: tensor.numpy() for name, tensor in zip(("latent", "labels"), inputs, strict=False)}
        with torch.no_grad():
            here = to_uint8(sampler(*inputs), sampler.output_range)
        there = to_uint8(torch.from_numpy(session.run(["images"], feed)[0]), (0.0, 1.0))
        apart.append((here.int() - there.int()).abs().flatten())
    levels, share = int(torch.cat(apart).max()), float((torch.cat(apart) > 0).double().mean())
    if levels > 1 or share > MAX_SHARE:
        raise UserError(
            f"{what}: draws other images in onnxruntime than in PyTorch ({share:.2%} of the pixels differ, by up to "
            f"{levels} grey levels): what it draws depends on more than latent and labels, or ONNX has other "
            "operations; give --no-onnx to leave it out"
        )
