"""Train the network that proposes hairs, on synthetic scenes only, and write it as ONNX.

``python -m training.hair_net [--minutes M] [--out FILE]``: draws scenes in one process, learns in another. It needs
the dependency group ``train`` (PyTorch, onnx); the package itself does not.
"""

from __future__ import annotations

import argparse
import itertools
import math
import multiprocessing as mp
import time
from pathlib import Path

import cv2
import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import nn
from torch.nn import functional
from training.scenes import draw_example

SIZE = 256
BATCH = 6
WIDTHS = (24, 40, 64, 96, 128)


class HairNet(nn.Module):
    """U-Net at half the input's resolution: (n, 12, H / 2, W / 2) to (n, 12, H / 2, W / 2); H and W multiples of 32."""

    def __init__(self) -> None:
        super().__init__()
        w = WIDTHS
        self.stem = _block(12, w[0], 1)
        self.down = nn.ModuleList([_block(a, b, 2) for a, b in itertools.pairwise(w)])
        self.up = nn.ModuleList([_block(a + b, b, 2) for a, b in zip(w[:0:-1], w[-2::-1], strict=True)])
        self.head = nn.Conv2d(w[0], 12, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Answers, for input whose squares of 2 x 2 pixels were laid into channels (`pixel_unshuffle`)."""
        kept = [self.stem(x)]
        for block in self.down:
            kept.append(block(functional.max_pool2d(kept[-1], 2)))
        x = kept.pop()
        for block in self.up:
            x = block(torch.cat([functional.interpolate(x, scale_factor=2.0, mode="nearest"), kept.pop()], dim=1))
        return self.head(x)


def _block(a: int, b: int, n: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for k in range(n):
        layers += [nn.Conv2d(a if k == 0 else b, b, 3, padding=1, bias=False), nn.BatchNorm2d(b), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers)


def loss_of(said: torch.Tensor, asked: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """Centre; spots at the ends (both cross-entropy, hard pixels first); the two ends in either order; the rest.

    The rest is width, the way from root to tip, and the line of the hair whichever way (double angle). All but the
    centre are asked only for what they teach about it.
    """
    centre, weight = asked[:, 0], asked[:, 6]
    p = torch.sigmoid(said[:, 0])
    hard = (p.detach() - centre).abs().clamp(min=0.02)
    one = (functional.binary_cross_entropy_with_logits(said[:, 0], centre, reduction="none") * hard * weight).sum()
    one = one / weight.mul(centre).sum().clamp(min=1.0)
    to_root, to_tip, at_root, at_tip = asked[:, 1:3], asked[:, 3:5], asked[:, 7], asked[:, 8]
    straight = _miss(said[:, 1:3], to_root) * at_root + _miss(said[:, 3:5], to_tip) * at_tip
    swapped = _miss(said[:, 3:5], to_root) * at_root + _miss(said[:, 1:3], to_tip) * at_tip
    ends = torch.minimum(straight, swapped).sum() / (at_root + at_tip).sum().clamp(min=1.0) * 2
    way = to_tip - to_root
    way = way / way.norm(dim=1, keepdim=True).clamp(min=1e-3)
    lean = ((said[:, 6:8] - way) ** 2).sum(dim=1)
    wide = (said[:, 5] - asked[:, 5]).abs()
    line = torch.stack([way[:, 0] ** 2 - way[:, 1] ** 2, 2 * way[:, 0] * way[:, 1]], dim=1)
    line = ((said[:, 10:12] - line) ** 2).sum(dim=1)
    rest = ((0.5 * wide + lean + line) * at_root).sum() / at_root.sum().clamp(min=1.0)
    spots = asked[:, 9:11]
    p = torch.sigmoid(said[:, 8:10])
    hard = (p.detach() - spots).abs().clamp(min=0.02) * weight[:, None]
    spot = (functional.binary_cross_entropy_with_logits(said[:, 8:10], spots, reduction="none") * hard).sum()
    return one, spot / spots.sum().clamp(min=1.0), ends, rest


def _miss(said: torch.Tensor, asked: torch.Tensor) -> torch.Tensor:
    """Error in output pixels: straight up to 12, logarithmic beyond, so that a wrong partner drowns nothing."""
    off = (said - asked).abs() * 16.0
    return torch.where(off < 12, off, 12 + 12 * torch.log1p(functional.relu(off - 12) / 12)).sum(dim=1)


def _draw(seed: int, queue: mp.Queue) -> None:
    cv2.setNumThreads(1)
    rng = np.random.default_rng(seed)
    while True:
        pairs = [draw_example(rng, SIZE) for _ in range(BATCH)]
        x, y = np.stack([p[0] for p in pairs]), np.stack([p[1] for p in pairs])
        x *= rng.uniform(0.85, 1.15, (BATCH, 1, 1, 1))
        queue.put((x.astype(np.float16), y.astype(np.float16)))


def train(minutes: float, out: Path, *, start: Path | None, seed: int, drawers: int, rate: float) -> None:
    """Learn until the time is over; the ONNX file is written every seven minutes and at the end."""
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    net = HairNet().to(memory_format=torch.channels_last)
    if start is not None:
        read_onnx(net, start)
        net.eval()  # the norms are part of what was read
    mean = torch.optim.swa_utils.AveragedModel(
        net, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.999), use_buffers=True
    )
    print(sum(p.numel() for p in net.parameters()), "parameters", flush=True)
    opt = torch.optim.AdamW(net.parameters(), lr=rate, weight_decay=1e-4)
    queue: mp.Queue = mp.Queue(maxsize=12)
    workers = [mp.Process(target=_draw, args=(1000 * seed + k, queue), daemon=True) for k in range(drawers)]
    for worker in workers:
        worker.start()
    begin, step, saved, told = time.time(), 0, time.time(), np.zeros(4)
    while (gone := (time.time() - begin) / 60) < minutes:
        x, y = (part.astype(np.float32) for part in queue.get())
        part = gone / minutes
        for group in opt.param_groups:
            group["lr"] = rate * min(1.0, (step + 1) / 100) * (0.5 + 0.5 * math.cos(math.pi * part) + 0.01)
        images = torch.from_numpy(x).to(memory_format=torch.channels_last)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            said = net(functional.pixel_unshuffle(images, 2))
        one, spots, ends, rest = loss_of(said.float(), torch.from_numpy(y))
        # what was read answers for the centre only: the others, begun anew, would undo it before they teach anything
        total = 4.0 * one + (2.0 * spots + 0.1 * ends + rest if start is None else 0.0)
        opt.zero_grad(set_to_none=True)
        total.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 5.0)
        opt.step()
        mean.update_parameters(net)
        told += [one.item(), spots.item(), ends.item(), rest.item()]
        step += 1
        if step % 100 == 0:
            print(f"{gone:6.1f} min  step {step}  {told / 100}  waiting {queue.qsize()}", flush=True)
            told[:] = 0
        if time.time() - saved > 420:
            saved = time.time()
            write_onnx(mean.module, out)
    write_onnx(mean.module, out)
    for worker in workers:
        worker.terminate()


def write_onnx(net: nn.Module, out: Path) -> None:
    """Batch norms folded into the convolutions, any multiple of 32 as size."""
    plain = HairNet()
    plain.load_state_dict({k: v.contiguous() for k, v in net.state_dict().items()})
    with torch.no_grad():  # the other answers help learning only
        plain.head = nn.Conv2d(WIDTHS[0], 1, 1)
        plain.head.weight.copy_(net.head.weight[:1])
        plain.head.bias.copy_(net.head.bias[:1])
    plain.eval()
    torch.onnx.export(
        plain,
        (torch.zeros(1, 12, 128, 128),),
        str(out),
        input_names=["ratio"],
        output_names=["answers"],
        dynamic_axes={"ratio": {2: "h", 3: "w"}, "answers": {2: "h", 3: "w"}},
        opset_version=17,
        dynamo=False,
    )


def read_onnx(net: HairNet, path: Path) -> None:
    """Take over what `write_onnx` wrote: the answers that only help learning are not in it."""
    kept = {item.name: numpy_helper.to_array(item) for item in onnx.load(path).graph.initializer}
    head = [torch.tensor(kept.pop(name)) for name in ("head.weight", "head.bias")]
    folded = [torch.tensor(value) for value in kept.values()]
    layers = [layer for block in (net.stem, *net.down, *net.up) for layer in block if not isinstance(layer, nn.ReLU)]
    if len(layers) != len(folded):
        raise ValueError(f"{path}: {len(folded)} arrays, {len(layers)} layers: it holds another network")
    with torch.no_grad():
        for conv, norm, weight, bias in zip(layers[::2], layers[1::2], folded[::2], folded[1::2], strict=True):
            conv.weight.copy_(weight)
            norm.bias.copy_(bias)
            norm.running_var.fill_(1 - norm.eps)
        net.head.weight[:1], net.head.bias[:1] = head[0], head[1]


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--minutes", type=float, default=50)
    options.add_argument("--out", type=Path, default=Path("out/hair_net.onnx"))
    options.add_argument("--start", type=Path, help="an ONNX file of this script's, to go on from")
    options.add_argument("--seed", type=int, default=21)
    options.add_argument("--drawers", type=int, default=1)
    options.add_argument("--rate", type=float, default=2e-3)
    chosen = options.parse_args()
    chosen.out.parent.mkdir(exist_ok=True, parents=True)
    train(chosen.minutes, chosen.out, start=chosen.start, seed=chosen.seed, drawers=chosen.drawers, rate=chosen.rate)


if __name__ == "__main__":
    main()
