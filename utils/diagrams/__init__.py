"""Diagrams of architectures: boxes, feature maps and arrows in the look of all figures."""

from utils.diagrams._diagram import Diagram

__all__ = ["Diagram"]
