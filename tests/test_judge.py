"""The judge of generated digits: its record, its reading and its scores."""

import numpy as np
import pytest
import torch
from torch import nn

from utils import recorded
from utils.datasets import load_digits
from utils.recorded import judge
from utils.weights import copy_weights

DIGITS = load_digits(full=False)


def test_it_reads_unseen_digits():
    assert (judge.read(DIGITS.x_test) == DIGITS.y_test).mean() >= 0.98
    assert 0.85 < judge.confidence(DIGITS.x_test) < 0.95  # label smoothing 0.1
    shares = judge.coverage(DIGITS.x_test)
    np.testing.assert_allclose(shares, np.bincount(DIGITS.y_test) / 1000, atol=0.01)
    assert shares.sum() == pytest.approx(1)


@pytest.mark.slow
def test_a_shorter_training_made_again_reads_as_well():
    again = judge.train(epochs=2)
    shapes = {name: array.shape for name, array in recorded.load("judge").items()}
    assert {name: array.shape for name, array in again.items()} == shapes
    model = judge._load({k: v for k, v in again.items() if k not in ("mean", "covariance")})
    read = judge._apply(model, DIGITS.x_test)[1].argmax(axis=1)
    kept = (judge.read(DIGITS.x_test) == DIGITS.y_test).mean()
    assert (read == DIGITS.y_test).mean() == pytest.approx(kept, abs=0.02)


def test_the_network_equals_the_same_in_pytorch():
    def block(channels, out):
        return nn.Conv2d(channels, out, 3, padding=1, bias=False), nn.BatchNorm2d(out), nn.ReLU()

    body = (
        *block(1, 16),
        nn.MaxPool2d(2),
        *block(16, 32),
        *block(32, 32),
        nn.MaxPool2d(2),
        *block(32, 64),
        nn.MaxPool2d(2),
        nn.Flatten(),
    )
    theirs = nn.Sequential(*body, nn.Linear(576, 10)).eval()
    copy_weights(judge._network(), theirs)
    x = torch.tensor(DIGITS.x_test[:300, None])
    with torch.no_grad():
        seen, p = nn.Sequential(*body)(x), theirs(x).softmax(1)
    np.testing.assert_allclose(judge.features(DIGITS.x_test[:300]), seen, atol=1e-4)
    np.testing.assert_allclose(judge.probabilities(DIGITS.x_test[:300]), p, atol=1e-5)


def test_flat_images_and_other_precisions_are_read_alike():
    images = DIGITS.x_test[:20]
    p = judge.probabilities(images)
    np.testing.assert_array_equal(judge.probabilities(images.reshape(20, 784)), p)
    np.testing.assert_array_equal(judge.probabilities(images.astype(float)), p)


@pytest.mark.slow
def test_frechet_distance_tells_real_digits_from_others():
    real = judge.frechet_distance(DIGITS.x_test)
    assert 0 < real < 0.5
    assert judge.frechet_distance(DIGITS.x_test, DIGITS.x_test) == pytest.approx(0, abs=1e-8)
    missing = judge.frechet_distance(DIGITS.x_test[DIGITS.y_test != 1])
    assert missing > 2 * real
    eights = np.repeat(DIGITS.x_test[DIGITS.y_test == 8][:1], 50, axis=0)
    assert judge.frechet_distance(eights) > 20 * missing
    given = judge.frechet_distance(DIGITS.x_test, DIGITS.x_train)
    assert given == pytest.approx(real, rel=1e-4)  # the reference is recorded


def test_a_sure_judge_is_no_praise():
    eights = np.repeat(DIGITS.x_test[DIGITS.y_test == 8][3:4], 50, axis=0)
    assert judge.confidence(eights) > 0.8
    assert np.count_nonzero(judge.coverage(eights)) == 1


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((3, 1, 28, 28)), r"got \(3, 1, 28, 28\)"),
        (np.zeros((0, 28, 28)), r"got \(0, 28, 28\)"),
        (np.zeros((3, 27, 28)), r"got \(3, 27, 28\)"),
        (-np.ones((3, 28, 28)), r"got -1 to -1; what ends in tanh"),
        (np.full((3, 784), np.nan), "got nan to nan"),
    ],
)
def test_what_is_no_picture_is_refused(images, message):
    with pytest.raises(ValueError, match=message):
        judge.probabilities(images)


def test_one_image_has_no_covariance():
    with pytest.raises(ValueError, match="two images at least, got 1"):
        judge.frechet_distance(DIGITS.x_test[:1])
