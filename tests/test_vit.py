"""The vision transformer: patches as tokens, positions, and the study of what it lacks."""

import numpy as np
import pytest
import torch
from torch import nn

from utils import recorded
from utils.models.vit import ViT
from utils.recorded import vit_study
from utils.weights import count_parameters


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def mixed(x, patch, order):
    """Images whose patches stand in another order."""
    side = x.shape[-1] // patch
    cut = x.unflatten(3, (side, patch)).unflatten(2, (side, patch)).transpose(3, 4)
    moved = cut.flatten(2, 3)[:, :, order].unflatten(2, (side, side))
    return moved.transpose(3, 4).flatten(4, 5).flatten(2, 3)


@pytest.mark.parametrize("patch", [4, 7])
def test_a_token_is_a_linear_map_of_its_patch(patch):
    vit = ViT(patch=patch, channels=2, positions="none")
    x = torch.randn(3, 2, 28, 28)
    cut = nn.functional.unfold(x, patch, stride=patch).mT  # (N, T, channels·patch²)
    expected = cut @ vit.patches.weight.flatten(1).T + vit.patches.bias
    torch.testing.assert_close(vit.tokens(x), expected)
    assert vit.tokens(x).shape == (3, (28 // patch) ** 2, 64)


def test_it_is_the_encoder_of_pytorch_between_patches_and_head():
    vit = ViT(layers=2).eval()
    layer = nn.TransformerEncoderLayer(64, 4, 256, 0.0, "gelu", batch_first=True, norm_first=True)
    theirs = nn.TransformerEncoder(layer, 2, nn.LayerNorm(64), enable_nested_tensor=False).eval()
    for mine, its in zip(vit.blocks, theirs.layers, strict=True):
        its.load_state_dict(mine.state_dict())
    x = torch.rand(5, 1, 28, 28)
    expected = vit.head(theirs(vit.tokens(x)).mean(dim=1))
    torch.testing.assert_close(vit(x), expected, atol=1e-5, rtol=1e-4)


def test_without_positions_an_image_is_a_bag_of_patches():
    x, order = torch.rand(2, 1, 28, 28), torch.randperm(16)
    assert not torch.equal(mixed(x, 7, order), x)
    bag = ViT(patch=7, positions="none").double().eval()
    torch.testing.assert_close(bag(mixed(x, 7, order).double()), bag(x.double()))
    placed = ViT(patch=7).double().eval()
    nn.init.normal_(placed.places.weight)
    assert (placed(mixed(x, 7, order).double()) - placed(x.double())).abs().max() > 1e-3


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="patches of 5 pixels do not fill an image of 28"):
        ViT(patch=5)
    with pytest.raises(ValueError, match="positions must be one of learned, none, got 'rotary'"):
        ViT(positions="rotary")
    with pytest.raises(ValueError, match="does not divide"):
        ViT(heads=5)


# ---- the study -------------------------------------------------------------------------------


def test_the_cnn_is_that_of_chapter_05():
    assert count_parameters(vit_study.cnn()) == 38_458  # the chapter claims as many


@pytest.mark.parametrize("way", vit_study.WAYS)
def test_every_way_trains_and_is_judged(way):
    model = vit_study.train(way, 0, steps=2)
    assert all(p.grad is not None for p in model.parameters())
    assert isinstance(model, ViT) == way.startswith("ViT")
    if isinstance(model, ViT):
        assert model.positions == ("none" if "no positions" in way else "learned")
        assert f"patch {model.patches.kernel_size[0]}" in way


def test_a_run_is_told_and_comes_again_with_its_seed():
    rows = [vit_study.run("CNN, shifts", seed, steps=3) for seed in (0, 0, 1)]
    for row in rows:
        del row["seconds"]
        for name in ("accuracy", "learned", "shifted"):
            assert 0 <= row[name] <= 1
    assert rows[0] == rows[1]
    assert rows[0] | {"seed": 1} != rows[2]
    assert rows[0]["weights"] == 38_458


def test_ways_differ_in_what_they_say():
    for name, way in vit_study.WAYS.items():
        assert way.shifted == ("shifts" in name)
        plain = vit_study.WAYS.get(name.removesuffix(", long"))
        assert (way.steps > 2 * plain.steps) == ("long" in name)


def test_runs_are_found_by_way_and_seed(monkeypatch):
    kept = ({"way": "CNN", "seed": 1, "accuracy": 0.9}, {"way": "ViT", "seed": 1, "accuracy": 0.8})
    monkeypatch.setattr(recorded, "load", lambda name: kept)
    assert vit_study.runs("ViT") == {1: kept[1]}
    assert vit_study.values("CNN") == {1: 0.9}
    assert np.mean(list(vit_study.values("ViT").values())) == 0.8
