"""The terms of the course in English and Chinese; the chapters show their own from here."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Term:
    """One term: the chapter that introduces it, its two names and one sentence."""

    chapter: int
    english: str
    chinese: str
    meaning: str


TERMS = (
    Term(1, "neuron", "神经元", "A weighted sum of inputs plus a bias, bent by an activation function."),
    Term(1, "weight", "权重", "A learned number that says how much one input counts, and in which direction."),
    Term(1, "bias", "偏置", "A learned number added to the weighted sum; it moves the decision boundary."),
    Term(1, "weighted sum", "加权和", "z = w·x + b, what the neuron computes before it bends."),
    Term(1, "activation function", "激活函数", "The bend f in y = f(z); without it depth would gain nothing."),
    Term(1, "step function", "阶跃函数", "1 where z > 0, else 0."),
    Term(1, "sigmoid", "S 型函数", "1 / (1 + e⁻ᶻ), a smooth step from 0 to 1."),
    Term(1, "hyperbolic tangent", "双曲正切", "tanh z, a smooth step from −1 to 1."),
    Term(1, "rectified linear unit, ReLU", "修正线性单元", "max(z, 0)."),
    Term(1, "leaky ReLU", "带泄漏修正线性单元", "ReLU with a small slope for negative z."),
    Term(1, "Gaussian error linear unit, GELU", "高斯误差线性单元", "z Φ(z), a smooth ReLU that falls before it rises."),
    Term(1, "derivative", "导数", "How fast a function changes: the slope of its tangent."),
    Term(1, "finite difference", "有限差分", "A derivative estimated from two nearby values of the function."),
    Term(1, "feature", "特征", "A number that describes an example; made by hand or learned."),
    Term(1, "decision boundary", "决策边界", "The points where z = 0, between one answer and the other."),
    Term(1, "perceptron", "感知机", "A step neuron that learns by adding or subtracting the examples it gets wrong."),
    Term(1, "linearly separable", "线性可分", "Said of two classes that some straight boundary divides without a mistake."),
    Term(1, "margin", "间隔", "The distance from a separating boundary to the nearest example."),
    Term(1, "layer", "层", "Neurons side by side that share their inputs: one matrix product."),
    Term(1, "hidden layer", "隐藏层", "A layer between the inputs and the output."),
    Term(1, "classification", "分类", "Answering with a class."),
    Term(1, "regression", "回归", "Answering with a number."),
    Term(1, "clustering", "聚类", "Finding groups in examples that have no labels."),
    Term(1, "generation", "生成", "Making new examples that resemble given ones."),
    Term(1, "least squares", "最小二乘法", "The weights with the smallest sum of squared errors."),
)


def show_terms(chapter: int) -> None:
    """Display the terms that a chapter introduces as a table.

    Raises:
        ValueError: the chapter introduces none.

    """
    from IPython.display import display

    terms = [term for term in TERMS if term.chapter == chapter]
    if not terms:
        raise ValueError(f"chapter {chapter} introduces no terms")
    rows = [f"| {t.english} | {t.chinese} | {t.meaning} |" for t in terms]
    plain = [f"{t.english} · {t.chinese}: {t.meaning}" for t in terms]
    table = "\n".join(["| English | 中文 | meaning |", "|---|---|---|", *rows])
    display({"text/markdown": table, "text/plain": "\n".join(plain)}, raw=True)
