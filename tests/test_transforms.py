"""Augmentations and whitening against NumPy, image by image."""

import subprocess
import sys

import numpy as np
import pytest
import torch

from utils import transforms


@pytest.fixture
def x():
    return torch.randn(40, 3, 12, 10, generator=torch.Generator().manual_seed(0))


def same_draw(transform, x, **options):
    """Twice with the same seed; the transform must not change its input."""
    before, results = x.clone(), []
    for _ in range(2):
        torch.manual_seed(3)
        results.append(transform(x, **options))
    assert torch.equal(x, before)
    assert torch.equal(*results)
    assert results[0].shape == x.shape
    assert results[0].dtype == x.dtype
    return results[0]


def test_to_tensor_scales_and_moves_the_channels():
    images = np.random.default_rng(0).random((3, 5, 4, 3)).astype(np.float32)
    x = transforms.to_tensor(images)
    np.testing.assert_allclose(x.numpy(), 4 * images.transpose(0, 3, 1, 2) - 2, atol=1e-6)
    assert (x.dtype, x.is_contiguous()) == (torch.float32, True)
    gray = transforms.to_tensor(images[..., 0])
    for channel in range(3):
        assert torch.equal(gray[:, channel], x[:, 0])
    images.setflags(write=False)  # as the data sets are
    transforms.to_tensor(images)[0, 0, 0, 0] = 9.0
    with pytest.raises(ValueError, match=r"got \(3, 5, 4, 2\)"):
        transforms.to_tensor(images[..., :2])


def test_flip_mirrors_about_half_of_the_images(x):
    got = same_draw(transforms.flip, x)
    mirrored = [torch.equal(a, b.flip(2)) for a, b in zip(got, x, strict=True)]
    kept = [torch.equal(a, b) for a, b in zip(got, x, strict=True)]
    assert all(a != b for a, b in zip(mirrored, kept, strict=True))
    assert 8 < sum(mirrored) < 32


def test_crop_is_a_window_of_the_reflected_image(x):
    got, seen = same_draw(transforms.crop, x, margin=2).numpy(), set()
    for image, moved in zip(x.numpy(), got, strict=True):
        wide = np.pad(image, ((0, 0), (2, 2), (2, 2)), mode="reflect")
        places = [
            (i, j)
            for i in range(5)
            for j in range(5)
            if np.array_equal(wide[:, i : i + 12, j : j + 10], moved)
        ]
        assert len(places) == 1
        seen.update(places)
    assert {i for i, _ in seen} == {j for _, j in seen} == set(range(5))
    assert torch.equal(transforms.crop(x, 0), x)
    for margin in (-1, 10):
        with pytest.raises(ValueError, match="margin must be from 0 to 9"):
            transforms.crop(x, margin)


def test_cut_out_clears_one_square(x):
    got, corners = same_draw(transforms.cut_out, x, size=4), set()
    for image, cut in zip(x, got, strict=True):
        rows, columns = np.nonzero((cut == 0).all(dim=0).numpy())
        assert len(rows) == 16
        assert np.ptp(rows) == np.ptp(columns) == 3
        kept = (cut != 0).all(dim=0)
        assert torch.equal(cut[:, kept], image[:, kept])
        corners.add((rows.min(), columns.min()))
    assert len(corners) > 20
    assert {min(i for i, _ in corners), min(j for _, j in corners)} == {0}
    assert max(i for i, _ in corners) == 8
    assert torch.equal(transforms.cut_out(x, 0), x)
    with pytest.raises(ValueError, match="size must be from 0 to 10, got 11"):
        transforms.cut_out(x, 11)


def test_mix_channels_is_one_matrix_an_image(x):
    got = same_draw(transforms.mix_channels, x.double(), sigma=0.25)
    matrices = []
    for image, mixed in zip(x.double(), got, strict=True):
        flat, wanted = image.flatten(1).T.numpy(), mixed.flatten(1).T.numpy()
        matrix, residual, *_ = np.linalg.lstsq(flat, wanted, rcond=None)
        assert residual.max() < 1e-12
        matrices.append(matrix.T - np.eye(3))
    assert abs(np.mean(matrices)) < 0.05
    assert 0.2 < np.std(matrices) < 0.3
    assert torch.equal(transforms.mix_channels(x, 0.0), x)


def test_compose_applies_the_first_first(x):
    double, one_more = (lambda a: 2 * a), (lambda a: a + 1)
    assert torch.equal(transforms.Compose([double, one_more])(x), 2 * x + 1)
    assert torch.equal(transforms.Compose([])(x), x)


def test_whitening_filters_whiten():
    generator = torch.Generator().manual_seed(0)
    smooth = torch.nn.functional.avg_pool2d(torch.randn(300, 3, 22, 22, generator=generator), 3, 1)
    smooth = smooth.double()
    filters = transforms.whitening_filters(smooth, 96, eps=0.0)
    assert filters.shape == (96, 3, 4, 4)
    assert torch.equal(filters[48:], -filters[:48])
    answers = torch.nn.functional.conv2d(smooth, filters[:48], stride=2)
    covariance = np.cov(answers.permute(1, 0, 2, 3).flatten(1).numpy())
    np.testing.assert_allclose(covariance, np.eye(48), atol=1e-8)
    first, variances = filters[0].flatten(), torch.var(answers, dim=(0, 2, 3))
    patches = np.lib.stride_tricks.sliding_window_view(smooth.numpy(), (4, 4), axis=(2, 3))
    patches = patches[:, :, ::2, ::2].transpose(0, 2, 3, 1, 4, 5).reshape(-1, 48)
    _, _, principal = np.linalg.svd(patches - patches.mean(axis=0), full_matrices=False)
    direction = (first / first.norm()).numpy()
    np.testing.assert_allclose(abs(direction @ principal[0]), 1, atol=1e-9)
    assert variances.std() < 1e-6
    damped = transforms.whitening_filters(smooth, 4, eps=1.0)
    assert damped[0].norm() < transforms.whitening_filters(smooth, 4)[0].norm()
    for count in (0, 3, 98):
        with pytest.raises(ValueError, match=f"even, from 2 to 96; got {count}"):
            transforms.whitening_filters(smooth, count)


def test_importing_it_imports_no_framework():
    code = "import sys, utils.transforms; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_affine_without_limits_changes_nothing(x):
    still = same_draw(transforms.affine, x, degrees=0, scale=0, shear=0, shift=0)
    np.testing.assert_allclose(still, x, atol=1e-5)


def test_affine_moves_a_dot_within_its_limits():
    dot = torch.zeros(200, 1, 21, 31)
    dot[:, :, 10, 15] = 1.0
    moved = same_draw(transforms.affine, dot, degrees=0, scale=0, shear=0, shift=2)[:, 0].numpy()
    rows, columns = (moved.sum(axis=axis) @ np.arange(n) for axis, n in ((2, 21), (1, 31)))
    for center, places in ((10, rows), (15, columns)):
        assert np.abs(places - center).max() <= 2 + 1e-4
        assert np.ptp(places) > 3.5
    turned = same_draw(transforms.affine, dot, degrees=90, scale=0.5, shear=1, shift=0)[:, 0]
    assert (turned[:, 10, 15] > 0.9).all()  # the center stays
