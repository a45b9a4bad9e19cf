"""The detector: boxes and offsets, matching, the loss against PyTorch, training, suppression."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from utils import metrics
from utils.models import detector as det
from utils.runtime import import_tensorflow


def random_boxes(rng, n, least=0.1, most=0.5):
    size = rng.uniform(least, most, (n, 2))
    low = rng.uniform(0, 1 - size)
    return np.concatenate([low, low + size], axis=1).astype(np.float32)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def scenes_of(rng, n=8):
    boxes = [random_boxes(rng, rng.integers(1, 4)) for _ in range(n)]
    return SimpleNamespace(
        x_train=rng.integers(0, 256, (n, 64, 64, 3), dtype=np.uint8),
        boxes_train=boxes,
        y_train=[rng.integers(0, 5, len(each)) for each in boxes],
    )


def test_the_anchors_stand_in_their_order():
    anchors = det.make_anchors()
    assert anchors.shape == (320, 4)
    assert anchors.dtype == np.float32
    np.testing.assert_allclose(anchors[0], [1 / 16, 1 / 16, 0.25, 0.25])
    np.testing.assert_allclose(anchors[1], [1 / 16, 1 / 16, 0.25 * 1.35, 0.25 / 1.35])
    np.testing.assert_allclose(anchors[2, 2:], 0.36)
    np.testing.assert_allclose(anchors[4], [3 / 16, 1 / 16, 0.25, 0.25])  # the next cell, right
    np.testing.assert_allclose(anchors[256], [1 / 8, 1 / 8, 0.4, 0.4])
    assert det.make_anchors(det.ONE_GRID).shape == (8 * 8 * 6, 4)


def test_an_offset_of_one_is_a_tenth_of_the_width_or_a_fifth_in_logarithm():
    anchor = np.array([[0.5, 0.5, 0.2, 0.4]])
    box = det.to_corners(np.array([[0.52, 0.5, 0.2 * np.exp(0.2), 0.4]]))
    np.testing.assert_allclose(det.encode(box, anchor), [[1, 0, 1, 0]], atol=1e-6)


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_decoding_undoes_encoding(seed):
    rng = np.random.default_rng(seed)
    anchors = det.make_anchors()
    boxes = random_boxes(rng, len(anchors))
    back = det.decode(det.encode(boxes, anchors), anchors)
    np.testing.assert_allclose(back, boxes, atol=1e-5)
    np.testing.assert_allclose(det.to_corners(det.to_centers(boxes)), boxes, atol=1e-6)


def test_decoding_survives_what_an_untrained_network_says():
    assert np.isfinite(det.decode(np.full((320, 4), 1e4), det.make_anchors())).all()


def brute_match(anchors, boxes, labels, least):
    """The two rules, anchor by anchor."""
    corners = det.to_corners(anchors)
    overlap = np.array([[metrics.iou(c[None], b[None])[0, 0] for b in boxes] for c in corners])
    owner = np.full(len(anchors), -1)
    for i, row in enumerate(overlap):
        if row.max() >= least:
            owner[i] = row.argmax()
    for j in sorted(range(len(boxes)), key=lambda j: overlap[:, j].max()):
        owner[overlap[:, j].argmax()] = j
    return owner


@pytest.mark.parametrize("least", [0.5, 0.7])
def test_matching_follows_its_two_rules(rng, least):
    anchors = det.make_anchors()
    for _ in range(5):
        boxes, labels = random_boxes(rng, 3, 0.1), rng.integers(0, 5, 3)
        classes, offsets = det.match(anchors, boxes, labels, least)
        owner = brute_match(anchors, boxes, labels, least)
        np.testing.assert_array_equal(classes, np.where(owner < 0, 0, 1 + labels[owner]))
        positive = owner >= 0
        np.testing.assert_allclose(
            det.decode(offsets, anchors)[positive], boxes[owner[positive]], atol=1e-5
        )
        assert (offsets[~positive] == 0).all()
        assert set(owner[positive]) == {0, 1, 2}  # none is forgotten


def test_an_empty_scene_is_background():
    classes, offsets = det.match(det.make_anchors(), np.zeros((0, 4)), np.zeros(0, int))
    assert not classes.any()
    assert not offsets.any()


def test_points_answer_for_the_smallest_box_around_them(rng):
    points = det.make_points()
    large, small = [0.1, 0.1, 0.9, 0.9], [0.4, 0.4, 0.65, 0.65]
    for boxes, labels in ((([large, small]), [1, 3]), ([small, large], [3, 1])):
        boxes, labels = np.array(boxes, np.float32), np.array(labels)
        classes, offsets = det.match_points(points, boxes, labels)
        inside = (np.abs(points - 0.525) <= 0.0625).all(axis=1)
        middle = (np.abs(points - 0.5) <= 0.2).all(axis=1)
        np.testing.assert_array_equal(classes, np.where(inside, 4, np.where(middle, 2, 0)))
        decoded = det.decode_points(offsets, points)
        np.testing.assert_allclose(decoded[inside], np.tile(small, (inside.sum(), 1)), atol=1e-6)
        np.testing.assert_allclose(
            decoded[middle & ~inside], np.tile(large, ((middle & ~inside).sum(), 1)), atol=1e-6
        )
    tiny = np.array([[0.30, 0.30, 0.32, 0.32]], np.float32)  # between all points
    assert (det.match_points(points, tiny, np.array([0]))[0] > 0).sum() == 1


def test_the_loss_is_that_of_pytorch(rng):
    """Cross-entropy and smooth L1 from PyTorch, the hardest negatives by sorting."""
    torch = pytest.importorskip("torch")
    F = torch.nn.functional
    answers = rng.normal(size=(4, 50, 10)).astype(np.float32)
    classes = np.where(rng.random((4, 50)) < 0.1, rng.integers(1, 6, (4, 50)), 0).astype(np.int8)
    offsets = rng.normal(size=(4, 50, 4)).astype(np.float16)
    positive = torch.tensor(classes > 0)
    n = int(positive.sum())
    each = F.cross_entropy(
        torch.tensor(answers[..., :6]).flatten(0, 1),
        torch.tensor(classes, dtype=torch.long).flatten(),
        reduction="none",
    ).view(4, 50)
    place = F.smooth_l1_loss(
        torch.tensor(answers[..., 6:])[positive],
        torch.tensor(offsets.astype(np.float32))[positive],
        reduction="sum",
    )
    named, others = each[positive].sum(), each[~positive]
    p = torch.exp(-each)
    weight = 4 * torch.where(positive, 0.75, 0.25) * (1 - p) ** 2
    expected = {
        "hard": named + others.sort(descending=True)[0][: 3 * n].sum(),
        "light": named + 3 * n * others.mean(),
        "all": each.sum(),
        "focal": (weight * each).sum(),
    }
    for mining, of_classes in expected.items():
        ours = float(det.multibox_loss(answers, classes, offsets, mining))
        assert ours == pytest.approx(float((of_classes + place) / n), rel=1e-5), mining
    least = named + others.sort()[0][: 3 * n].sum()
    for _ in range(5):
        ours = float(det.multibox_loss(answers, classes, offsets, "random")) * n - float(place)
        assert float(least) < ours < float(expected["hard"])
    with pytest.raises(ValueError, match="mining must be one of hard, random"):
        det.multibox_loss(answers, classes, offsets, "soft")


def test_fewer_negatives_than_wanted_are_all_taken():
    answers = np.zeros((1, 4, 10), np.float32)
    classes, offsets = np.array([[1, 2, 0, 0]], np.int8), np.zeros((1, 4, 4), np.float16)
    for mining in ("hard", "random"):
        loss = float(det.multibox_loss(answers, classes, offsets, mining))
        assert loss == pytest.approx(2 * np.log(6), rel=1e-5), mining


def test_targets_of_mirror_images_are_mirrored(rng):
    scenes, head = scenes_of(rng), det.anchor_head()
    classes, offsets = det.targets(head, scenes.boxes_train, scenes.y_train)
    assert classes.shape == (16, 320)
    assert offsets.shape == (16, 320, 4)
    for i in range(8):
        plain = head.decode(offsets[i].astype(np.float32))[classes[i] > 0]
        other = head.decode(offsets[8 + i].astype(np.float32))[classes[8 + i] > 0]
        turned = np.column_stack([1 - other[:, 2], other[:, 1], 1 - other[:, 0], other[:, 3]])
        for box in scenes.boxes_train[i]:
            for set_of in (plain, turned):
                assert np.abs(set_of - box).max(axis=1).min() < 2e-3  # float16


@pytest.mark.parametrize(
    ("head", "answers", "weights"),
    [
        (det.anchor_head(), 320, 181_440),
        (det.anchor_head(det.ONE_GRID), 384, 132_780),
        (det.point_head(), 64, 103_930),
    ],
)
def test_a_network_gives_as_many_answers_as_its_head_wants(head, answers, weights):
    network = det.build_network(head)
    assert tuple(network.output.shape) == (None, answers, 10)
    assert network.count_params() == weights
    classes, offsets = head.match(np.array([[0.2, 0.2, 0.5, 0.5]], np.float32), np.array([2]))
    assert classes.shape == (answers,)
    assert set(classes) == {0, 3}
    assert head.decode(offsets).shape == (answers, 4)


def test_a_prior_makes_background_as_likely_as_it_is():
    black = np.zeros((1, 64, 64, 3), np.float32)
    for prior, odds in ((0.0, 1 / 5), (det.PRIOR, 30)):
        logits = det.build_network(det.anchor_head(), prior)(black).numpy()[0, :, :6]
        p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        np.testing.assert_allclose(p[:, 0] / (1 - p[:, 0]), odds, rtol=0.02)


def test_detections_are_those_of_tensorflow(rng):
    tf = import_tensorflow()
    head, answers = det.anchor_head(), rng.normal(size=(3, 320, 10)).astype(np.float32)
    found = det.detections(answers, head, least=0.3)
    for one, answer in zip(found, answers, strict=True):
        scores = tf.nn.softmax(answer[:, :6]).numpy()[:, 1:]
        boxes = head.decode(answer[:, 6:])
        for kind in range(5):
            kept = tf.image.non_max_suppression(
                boxes[:, [1, 0, 3, 2]], scores[:, kind], 100, 0.45, 0.3
            ).numpy()
            mine = one.labels == kind
            np.testing.assert_allclose(one.scores[mine], scores[kept, kind], rtol=1e-5)
            np.testing.assert_array_equal(one.boxes[mine], boxes[kept])
    raw = det.detections(answers, head, least=0.3, overlap=None)
    assert all(len(a.scores) > len(b.scores) for a, b in zip(raw, found, strict=True))


def test_without_kinds_a_score_is_that_of_any_object():
    answers = np.zeros((1, 320, 10), np.float32)
    answers[..., 0] = 20.0  # background, but for two answers to the same place
    answers[0, 0, :6] = np.log([0.3, 0.4, 0.3, 1e-9, 1e-9, 1e-9])
    answers[0, 1, :6] = np.log([0.5, 0.5, 1e-9, 1e-9, 1e-9, 1e-9])
    first, second = det.make_anchors()[:2]
    answers[0, 1, 6:] = det.encode(det.to_corners(first), second)  # the same box
    (one,) = det.detections(answers, det.anchor_head(), by_kind=False)
    np.testing.assert_allclose(one.scores, [0.7], rtol=1e-5)
    assert one.labels.tolist() == [0]
    (each,) = det.detections(answers, det.anchor_head())
    np.testing.assert_allclose(each.scores, [0.5, 0.3], rtol=1e-5)
    assert each.labels.tolist() == [0, 1]


def test_a_detector_learns_two_scenes_and_a_seed_repeats_it(rng):
    scenes, losses = scenes_of(rng, 2), []
    runs = [
        det.train(scenes, steps=4, seed=3, after=lambda _, loss: losses.append(float(loss)))
        for _ in range(2)
    ]
    assert losses[:4] == pytest.approx(losses[4:], rel=1e-4)
    assert losses[3] < losses[0]
    images = scenes.x_train
    np.testing.assert_allclose(runs[0].answers(images), runs[1].answers(images), atol=1e-3)
    assert len(runs[0].detect(images)) == 2
