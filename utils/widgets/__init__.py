"""Widgets to play with: `live` for any figure; hero widgets that compute in the browser."""

from __future__ import annotations

import importlib
from typing import Any

# name → module; nothing is imported before it is asked for
_HOMES = {
    "live": "_live",
    "NeuronPlayground": "neuron_playground",
    "ActivationExplorer": "activation_explorer",
    "XorBuilder": "xor_builder",
    "AnchorExplorer": "anchor_explorer",
    "SuppressionBoard": "suppression_board",
    "GraphStepper": "graph_stepper",
    "OptimizerRace": "optimizer_race",
    "GradientFlow": "gradient_flow",
    "ConvolutionStepper": "convolution_stepper",
    "DigitPad": "digit_pad",
    "AblationBoard": "ablation_board",
    "IouDragger": "iou_dragger",
    "SceneBoard": "scene_board",
    "RNNStepper": "rnn_stepper",
    "WordWriter": "word_writer",
    "LatentMap": "latent_map",
    "PronunciationMap": "pronunciation_map",
    "LibrarySearch": "library_search",
    "HeadBrowser": "head_browser",
    "EntityHighlighter": "entity_highlighter",
    "mistake_browser": "mistakes",
    "GateViewer": "gate_viewer",
    "adding_lengths": "adding_problem",
    "GanStepper": "gan_stepper",
    "RingFilm": "ring_film",
    "LatentWalk": "latent_walk",
    "LambdaSlider": "lambda_slider",
    "CycleViewer": "cycle_viewer",
    "SketchPad": "sketch_pad",
    "CodeWriter": "code_writer",
    "Prediction": "prediction",
}
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'utils.widgets' has no {name!r}; it has {', '.join(__all__)}")
    return getattr(importlib.import_module(f"utils.widgets.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
