"""The convolutional networks against independent constructions and published numbers."""

import numpy as np
import pytest
import torch
from scipy.signal import correlate

from utils.models.cnn import Block, LeNet, ResNet, SmallCNN
from utils.weights import count_parameters


def randomize(model):
    """Give every array of a model random values, running variances positive ones."""
    generator = torch.Generator().manual_seed(0)
    for name, array in model.state_dict().items():
        if array.is_floating_point():
            noise = torch.randn(array.shape, generator=generator, dtype=array.dtype)
            array.copy_(noise.abs() + 0.5 if name.endswith("running_var") else 0.2 * noise)
    return model.double().eval()


# --- a second ResNet, on arrays and SciPy alone ---


def conv(x, w, stride, padding):
    x = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    maps = [[correlate(image, kernel, mode="valid")[0] for kernel in w] for image in x]
    return np.array(maps)[:, :, ::stride, ::stride]


def norm(x, arrays, name):
    gain, shift, mean, var = (
        arrays[f"{name}.{part}"][:, None, None]
        for part in ("weight", "bias", "running_mean", "running_var")
    )
    return gain * (x - mean) / np.sqrt(var + 1e-5) + shift


def resnet(x, arrays, blocks, imagenet=False):
    x = conv(x, arrays["stem.0.weight"], *((2, 3) if imagenet else (1, 1)))
    x = np.maximum(norm(x, arrays, "stem.1"), 0)
    if imagenet:
        x = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)), constant_values=-np.inf)
        windows = np.lib.stride_tricks.sliding_window_view(x, (3, 3), axis=(2, 3))
        x = windows[:, :, ::2, ::2].max(axis=(4, 5))
    number = 0
    for stage, count in enumerate(blocks):
        for i in range(count):
            b, stride = f"stages.{number}", 2 if stage and i == 0 else 1
            f = conv(x, arrays[f"{b}.conv1.weight"], stride, 1)
            f = np.maximum(norm(f, arrays, f"{b}.bn1"), 0)
            f = norm(conv(f, arrays[f"{b}.conv2.weight"], 1, 1), arrays, f"{b}.bn2")
            if f"{b}.shortcut.0.weight" in arrays:
                x = conv(x, arrays[f"{b}.shortcut.0.weight"], stride, 0)
                x = norm(x, arrays, f"{b}.shortcut.1")
            x, number = np.maximum(x + f, 0), number + 1
    return x.mean(axis=(2, 3)) @ arrays["head.weight"].T + arrays["head.bias"]


@pytest.mark.parametrize("stem", ["cifar", "imagenet"])
def test_resnet_18_equals_a_second_construction(stem):
    model = randomize(ResNet(width=4, stem=stem))
    x = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(1)).double()
    arrays = {name: array.numpy() for name, array in model.state_dict().items()}
    expected = resnet(x.numpy(), arrays, (2, 2, 2, 2), stem == "imagenet")
    with torch.no_grad():
        got = model(x).numpy()
    assert np.abs(expected).max() > 0.01
    np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-9)


def test_published_parameter_counts():
    assert count_parameters(ResNet()) == 11_173_962  # CIFAR form, ten classes
    assert count_parameters(ResNet(classes=1000, stem="imagenet")) == 11_689_512  # torchvision's
    assert count_parameters(LeNet()) == 62_006


def test_the_stem_decides_how_large_the_last_maps_are():
    x = torch.zeros(1, 3, 32, 32)
    with torch.no_grad():
        assert ResNet(width=4).eval().maps(x).shape == (1, 32, 4, 4)
        assert ResNet(width=4, stem="imagenet").eval().maps(x).shape == (1, 32, 1, 1)
    with pytest.raises(ValueError, match="stem must be 'cifar' or 'imagenet', got 'none'"):
        ResNet(stem="none")


def test_a_block_whose_convolutions_are_zero_is_the_shortcut():
    block = Block(4, 4).eval()
    for parameter in (block.conv1.weight, block.conv2.weight):
        torch.nn.init.zeros_(parameter)
    x = torch.randn(2, 4, 8, 8).abs()
    assert torch.equal(block(x), x)


@pytest.mark.parametrize("normalize", [True, False])
def test_small_cnn_equals_a_second_construction(normalize):
    model = randomize(SmallCNN(width=4, normalize=normalize))
    arrays = {name: array.numpy() for name, array in model.state_dict().items()}
    x = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(1)).double()
    y = np.maximum(conv(x.numpy(), arrays["stem.weight"], 2, 1), 0)
    for layer, pooled in ((1, True), (5, False), (8, True)):
        y = conv(y, arrays[f"body.{layer}.weight"], 1, 1)
        if not normalize:
            y += arrays[f"body.{layer}.bias"][:, None, None]
        if pooled:
            n, c, h, w = y.shape
            y = y.reshape(n, c, h // 2, 2, w // 2, 2).max(axis=(3, 5))
        if normalize:
            y = norm(y, arrays, f"body.{layer + 1 + pooled}")
        y = np.maximum(y, 0)
    with torch.no_grad():
        np.testing.assert_allclose(model.features(x).numpy(), y.max(axis=(2, 3)), rtol=1e-9)
        expected = y.max(axis=(2, 3)) @ arrays["head.weight"].T / 8
        np.testing.assert_allclose(model(x).numpy(), expected, rtol=1e-9)


def test_given_filters_stay_and_the_rest_learns():
    filters = torch.randn(6, 3, 4, 4)
    model = SmallCNN(width=6, filters=filters)
    model(torch.randn(4, 3, 32, 32)).sum().backward()
    assert torch.equal(model.stem.weight, filters)
    assert [name for name, p in model.named_parameters() if p.grad is None] == ["stem.weight"]
    learned = SmallCNN(width=6)
    learned(torch.randn(4, 3, 32, 32)).sum().backward()
    assert learned.stem.weight.grad.abs().max() > 0
    with pytest.raises(ValueError, match=r"shape \(6, 3, 4, 4\), got \(5, 3, 4, 4\)"):
        SmallCNN(width=6, filters=filters[:5])


def test_small_cnn_has_the_weights_of_its_recipe():
    assert round(count_parameters(SmallCNN(24)), -3) == 59_000
    assert round(count_parameters(SmallCNN(32)), -3) == 105_000


def test_lenet_gives_a_score_for_each_class():
    assert LeNet(7)(torch.zeros(2, 3, 32, 32)).shape == (2, 7)
