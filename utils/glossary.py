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
    Term(
        1,
        "neuron",
        "神经元",
        "A weighted sum of inputs plus a bias, bent by an activation function.",
    ),
    Term(
        1,
        "weight",
        "权重",
        "A learned number that says how much one input counts, and in which direction.",
    ),
    Term(
        1,
        "bias",
        "偏置",
        "A learned number added to the weighted sum; it moves the decision boundary.",
    ),
    Term(1, "weighted sum", "加权和", "z = w·x + b, what the neuron computes before it bends."),
    Term(
        1,
        "activation function",
        "激活函数",
        "The bend f in y = f(z); without it depth would gain nothing.",
    ),
    Term(1, "step function", "阶跃函数", "1 where z > 0, else 0."),
    Term(1, "sigmoid", "S 型函数", "1 / (1 + e⁻ᶻ), a smooth step from 0 to 1."),
    Term(1, "hyperbolic tangent", "双曲正切", "tanh z, a smooth step from −1 to 1."),
    Term(1, "rectified linear unit, ReLU", "修正线性单元", "max(z, 0)."),
    Term(1, "leaky ReLU", "带泄漏修正线性单元", "ReLU with a small slope for negative z."),
    Term(
        1,
        "Gaussian error linear unit, GELU",
        "高斯误差线性单元",
        "z Φ(z), a smooth ReLU that falls before it rises.",
    ),
    Term(1, "derivative", "导数", "How fast a function changes: the slope of its tangent."),
    Term(
        1,
        "finite difference",
        "有限差分",
        "A derivative estimated from two nearby values of the function.",
    ),
    Term(1, "feature", "特征", "A number that describes an example; made by hand or learned."),
    Term(
        1,
        "decision boundary",
        "决策边界",
        "The points where z = 0, between one answer and the other.",
    ),
    Term(
        1,
        "perceptron",
        "感知机",
        "A step neuron that learns by adding or subtracting the examples it gets wrong.",
    ),
    Term(
        1,
        "linearly separable",
        "线性可分",
        "Said of two classes that some straight boundary divides without a mistake.",
    ),
    Term(1, "margin", "间隔", "The distance from a separating boundary to the nearest example."),
    Term(1, "layer", "层", "Neurons side by side that share their inputs: one matrix product."),
    Term(1, "hidden layer", "隐藏层", "A layer between the inputs and the output."),
    Term(1, "classification", "分类", "Answering with a class."),
    Term(1, "regression", "回归", "Answering with a number."),
    Term(1, "clustering", "聚类", "Finding groups in examples that have no labels."),
    Term(1, "generation", "生成", "Making new examples that resemble given ones."),
    Term(1, "least squares", "最小二乘法", "The weights with the smallest sum of squared errors."),
    Term(2, "gradient descent", "梯度下降", "Walking downhill: w ← w − αg, again and again."),
    Term(
        2,
        "loss, loss function",
        "损失函数",
        "One number that says how wrong the predictions are; learning makes it small.",
    ),
    Term(
        2,
        "gradient",
        "梯度",
        "All partial derivatives of the loss by the parameters; it points steepest uphill.",
    ),
    Term(
        2, "step size, learning rate", "步长、学习率", "The factor α of the gradient in one step."
    ),
    Term(2, "parameter", "参数", "A number that learning changes: a weight or a bias."),
    Term(
        2,
        "stationary point",
        "驻点",
        "A place where the gradient is zero: a minimum, a maximum or a saddle.",
    ),
    Term(
        2,
        "mean squared error, MSE",
        "均方误差",
        "The mean of the squared mistakes; the best constant is the mean.",
    ),
    Term(
        2,
        "mean absolute error, MAE",
        "平均绝对误差",
        "The mean size of the mistakes; the best constant is the median.",
    ),
    Term(
        2,
        "cross-entropy",
        "交叉熵",
        "−Σ y ln p: how surprised the prediction p is by what happens, y.",
    ),
    Term(
        2,
        "Kullback-Leibler divergence, KL divergence",
        "KL 散度",
        "Σ y ln(y/p): cross-entropy minus the entropy of y; zero only if p = y.",
    ),
    Term(
        2,
        "softmax",
        "归一化指数函数",
        "Turns K sums into K probabilities: powers of e, divided by their sum.",
    ),
    Term(
        2,
        "log-sum-exp",
        "对数求和指数",
        "ln Σ eᶻ, computed after subtracting the largest z; its gradient is the softmax.",
    ),
    Term(
        2,
        "Hessian",
        "黑塞矩阵",
        "The matrix of second derivatives; its eigenvalues say how curved the loss is.",
    ),
    Term(
        2,
        "condition number",
        "条件数",
        "λ_max/λ_min: how much steeper the steepest direction is than the flattest.",
    ),
    Term(
        2,
        "normal equations",
        "正规方程",
        "XᵀXw = Xᵀy, whose solution has the smallest squared error.",
    ),
    Term(2, "batch gradient descent", "批量梯度下降", "Descent with the gradient of all examples."),
    Term(
        2,
        "mini-batch gradient descent",
        "小批量梯度下降",
        "Descent with the gradient of B examples drawn at random.",
    ),
    Term(
        2,
        "stochastic gradient descent, SGD",
        "随机梯度下降",
        "Descent with the gradient of one random example; libraries also say it of mini-batches.",
    ),
    Term(2, "epoch", "轮次", "One run through all training examples."),
    Term(
        2,
        "learning-rate schedule",
        "学习率调度",
        "A factor of the step size that depends on the number of the step alone.",
    ),
    Term(
        2,
        "momentum",
        "动量",
        "A decaying sum of past gradients that is followed instead of the last one.",
    ),
    Term(2, "Nesterov momentum", "涅斯捷罗夫动量", "Momentum that looks ahead along its velocity."),
    Term(
        2,
        "adaptive method",
        "自适应方法",
        "An optimizer that gives each parameter its own step size, from its past gradients.",
    ),
    Term(
        2,
        "bias correction",
        "偏差修正",
        "Division by 1 − βᵗ, because a running mean that began at 0 is too small at first.",
    ),
    Term(2, "weight decay", "权重衰减", "Shrinking every weight a little at each step."),
    Term(
        3,
        "computational graph",
        "计算图",
        "A computation drawn as nodes, with a line from each operand to its result.",
    ),
    Term(
        3, "local derivative", "局部导数", "How a node's result changes with one of its operands."
    ),
    Term(3, "chain rule", "链式法则", "Multiply the derivatives along a path, add over the paths."),
    Term(
        3,
        "upstream gradient",
        "上游梯度",
        "The derivative of the loss by a node's result, as it arrives there.",
    ),
    Term(3, "leaf", "叶节点", "A node without operands: an input or a weight."),
    Term(
        3,
        "backpropagation",
        "反向传播",
        "Reverse-mode differentiation of a loss; it computes derivatives and changes no weight.",
    ),
    Term(3, "error signal δ", "误差信号", "∂L/∂z, the gradient at a layer's weighted sums."),
    Term(
        3,
        "Jacobian",
        "雅可比矩阵",
        "The matrix of all derivatives of several outputs by several inputs.",
    ),
    Term(
        3,
        "vector–Jacobian product",
        "向量-雅可比积",
        "What a node sends back: Jᵀ times the upstream gradient, without building J.",
    ),
    Term(
        3,
        "automatic differentiation",
        "自动微分",
        "Exact derivatives of a program, from the derivatives of its operations.",
    ),
    Term(
        3,
        "forward mode",
        "前向模式",
        "Differentiation in the order of the computation; cheap for few inputs.",
    ),
    Term(
        3,
        "reverse mode",
        "反向模式",
        "Differentiation from the result back; cheap for few outputs, such as one loss.",
    ),
    Term(
        3,
        "topological order",
        "拓扑排序",
        "An order in which every node of a graph comes after its parents.",
    ),
    Term(
        3, "saturation", "饱和", "A bend so far on its flat part that hardly any gradient passes."
    ),
    Term(3, "gradient checking", "梯度检查", "Comparing a backward rule with finite differences."),
    Term(
        3, "multilayer perceptron", "多层感知机", "Fully connected layers with a bend between them."
    ),
    Term(
        4,
        "data augmentation",
        "数据增强",
        "Changing training examples at random in ways that keep their labels.",
    ),
    Term(
        4,
        "vanishing gradient",
        "梯度消失",
        "A gradient that each layer shrinks, until nothing reaches the first.",
    ),
    Term(
        4,
        "exploding gradient",
        "梯度爆炸",
        "A gradient that each layer enlarges, beyond all bounds.",
    ),
    Term(
        4,
        "Xavier initialization",
        "Xavier 初始化",
        "Weights of variance 2/(D_in + D_out), for bends that are straight near 0.",
    ),
    Term(4, "He initialization", "He 初始化", "Weights of variance 2/D_in, for ReLU."),
    Term(
        4,
        "batch normalization",
        "批量归一化",
        "Each feature to mean 0 and variance 1 over the batch, then γẑ + β.",
    ),
    Term(
        4,
        "layer normalization",
        "层归一化",
        "Each example to mean 0 and variance 1 over its features, then γẑ + β.",
    ),
    Term(4, "residual connection", "残差连接", "A layer that adds to its input: h + g(h)."),
    Term(4, "model", "模型", "A family of functions with parameters, of which training picks one."),
    Term(4, "generalization", "泛化", "A small loss on data that nobody has seen."),
    Term(4, "training set", "训练集", "The examples that set the weights."),
    Term(4, "validation set", "验证集", "The examples that compare models and settings."),
    Term(4, "test set", "测试集", "The examples that are asked once, at the end."),
    Term(
        4,
        "underfitting",
        "欠拟合",
        "A high loss even on the training data: the model is too small, or not trained enough.",
    ),
    Term(4, "overfitting", "过拟合", "The training loss falls while the validation loss rises."),
    Term(4, "learning curve", "学习曲线", "Training and validation loss against the epoch."),
    Term(4, "L1 regularization", "L1 正则化", "A penalty λ Σ|w|, which drives small weights to 0."),
    Term(
        4,
        "L2 regularization",
        "L2 正则化",
        "A penalty ½λ Σw², which pulls each weight toward 0 in proportion to its size.",
    ),
    Term(
        4,
        "dropout",
        "随机失活",
        "In training, outputs set to 0 at random and the others scaled up.",
    ),
    Term(
        4,
        "early stopping",
        "早停",
        "Keeping the weights of the epoch with the lowest validation loss.",
    ),
    Term(4, "batch size", "批大小", "How many examples give the gradient of one step."),
    Term(
        5,
        "convolution",
        "卷积",
        "Laying the same kernel on every place of the input; in networks a cross-correlation.",
    ),
    Term(5, "kernel", "卷积核", "The small array of shared weights that slides over the input."),
    Term(5, "feature map", "特征图", "The numbers that one kernel yields at all its places."),
    Term(5, "weight sharing", "权值共享", "Using the same weights at every place."),
    Term(
        5,
        "channel",
        "通道",
        "One of the planes of numbers that an image or a feature map is made of.",
    ),
    Term(5, "stride", "步幅", "How many pixels the kernel moves from one place to the next."),
    Term(5, "padding", "填充", "Zeros put around the input, so that the kernel fits there."),
    Term(
        5,
        "dilation",
        "扩张率",
        "The distance between neighboring weights of a kernel, in pixels of its input.",
    ),
    Term(
        5,
        "cross-correlation",
        "互相关",
        "The sum of weight times pixel with the kernel as it is; convolution turns it by 180°.",
    ),
    Term(5, "translation equivariance", "平移等变性", "The output moves along with the input."),
    Term(
        5,
        "adjoint",
        "伴随",
        "The map Aᵀ with ⟨Ax, y⟩ = ⟨x, Aᵀy⟩; backpropagation through a linear layer applies it.",
    ),
    Term(5, "pooling", "池化", "Putting one number in place of each block of a feature map."),
    Term(5, "max pooling", "最大池化", "Pooling that keeps the largest number."),
    Term(5, "average pooling", "平均池化", "Pooling that keeps the mean."),
    Term(
        5,
        "transposed convolution",
        "转置卷积",
        "The adjoint of a convolution as a layer: it makes maps larger.",
    ),
    Term(
        5,
        "receptive field",
        "感受野",
        "The pixels of the input that can change one number of a map.",
    ),
    Term(5, "convolutional neural network", "卷积神经网络", "A network of convolution layers."),
    Term(6, "label smoothing", "标签平滑", "A target that gives a small share to every class."),
    Term(
        6,
        "residual block",
        "残差块",
        "Layers whose result is added to their own input.",
    ),
    Term(
        6,
        "one-cycle schedule",
        "单周期学习率",
        "A step size that climbs to a peak once and then falls to zero.",
    ),
    Term(
        6,
        "whitening",
        "白化",
        "A linear map after which all components are uncorrelated and have variance 1.",
    ),
    Term(
        6,
        "test-time augmentation",
        "测试时增强",
        "Averaging the answers to several changed copies of one example.",
    ),
    Term(
        6,
        "standard error",
        "标准误差",
        "How much a measured mean scatters from sample to sample.",
    ),
    Term(
        6,
        "mixed precision",
        "混合精度",
        "Computing in 16 bits where it does no harm and in 32 where it would.",
    ),
    Term(6, "ablation", "消融实验", "Taking one part away to measure what it is worth."),
    Term(
        6,
        "confusion matrix",
        "混淆矩阵",
        "A table that counts examples by true class and answer.",
    ),
    Term(
        6,
        "transfer learning",
        "迁移学习",
        "Reusing what was learned on one task for another.",
    ),
    Term(
        8,
        "sequence",
        "序列",
        "Pieces in an order that matters, of any number.",
    ),
    Term(
        8,
        "state",
        "状态",
        "What a recurrent network keeps in mind: a vector, renewed at every step.",
    ),
    Term(
        8,
        "recurrent neural network, RNN",
        "循环神经网络",
        "A network whose state comes back as an input at the next step.",
    ),
    Term(
        8,
        "unrolling",
        "展开",
        "Drawing a loop once for every step, as a deep network with shared weights.",
    ),
    Term(
        8,
        "back-propagation through time, BPTT",
        "随时间反向传播",
        "Backpropagation through the unrolled network; each step adds its share.",
    ),
    Term(
        8,
        "spectral norm",
        "谱范数",
        "The most by which a matrix can stretch a vector: its largest singular value.",
    ),
    Term(
        8,
        "spectral radius",
        "谱半径",
        "The largest absolute eigenvalue of a matrix; it rules its high powers.",
    ),
    Term(
        8,
        "orthogonal matrix",
        "正交矩阵",
        "A square matrix that keeps all lengths and angles: QᵀQ = I.",
    ),
    Term(
        8,
        "gradient clipping",
        "梯度裁剪",
        "Shortening a gradient that is longer than a limit, without turning it.",
    ),
    Term(
        8,
        "truncated BPTT",
        "截断的随时间反向传播",
        "Handing the state on and cutting the gradient after a number of steps.",
    ),
    Term(
        8,
        "teacher forcing",
        "教师强制",
        "In training, feeding in the right piece whatever the network would have said.",
    ),
    Term(
        8,
        "bits per letter",
        "每字母比特数",
        "Mean of −log₂ of the probability that a model gives to each right letter.",
    ),
    Term(
        8,
        "bigram model",
        "二元模型",
        "A model that knows how often each sign follows another, and nothing else.",
    ),
    Term(
        8,
        "embedding",
        "嵌入",
        "A learned vector for each of a set of symbols: a row of a table.",
    ),
    Term(
        8,
        "temperature",
        "温度",
        "The number that scores are divided by before softmax; the higher, the bolder.",
    ),
    Term(
        8,
        "perplexity",
        "困惑度",
        "2 to the power of the bits: among how many equal choices a model seems to choose.",
    ),
    Term(
        8,
        "persistence",
        "持续性预测",
        "The forecast that all stays as it is.",
    ),
    Term(
        8,
        "seasonal forecast",
        "季节性朴素预测",
        "The forecast that all is as it was a season ago.",
    ),
    Term(
        8,
        "autoregression",
        "自回归",
        "Forecasting a value by a line through the values before it.",
    ),
    Term(
        8,
        "extrapolation",
        "外推",
        "Answering beyond the range that was learned from.",
    ),
    Term(
        9,
        "long short-term memory (LSTM)",
        "长短期记忆网络",
        "A recurrent layer with a cell state that gates keep, write and show.",
    ),
    Term(9, "gate", "门", "A learned number between 0 and 1 that multiplies what may pass."),
    Term(
        9,
        "cell state",
        "细胞状态",
        "The LSTM's memory, which changes only through forget gate and input gate.",
    ),
    Term(9, "forget gate", "遗忘门", "Says how much of the old cell state stays."),
    Term(
        9, "input gate", "输入门", "Says how much of the candidate is written into the cell state."
    ),
    Term(9, "output gate", "输出门", "Says how much of the cell state is shown as output."),
    Term(
        9,
        "candidate",
        "候选状态",
        "What a recurrent layer may write into its state, before the gate.",
    ),
    Term(
        9,
        "forget bias",
        "遗忘门偏置",
        "The first bias of the forget gate; 1 or more lets gradients last.",
    ),
    Term(
        9,
        "gated recurrent unit (GRU)",
        "门控循环单元",
        "A recurrent layer with one state, an update gate and a reset gate.",
    ),
    Term(9, "reset gate", "重置门", "Says how much of the past the GRU's candidate sees."),
    Term(
        9, "update gate", "更新门", "Says how much of the GRU's old state stays; the rest is new."
    ),
    Term(9, "mask", "掩码", "An array that says which steps are real and which are padding."),
    Term(
        9,
        "packing",
        "打包",
        "Stringing the real steps of a padded batch together, without the padding.",
    ),
    Term(
        9, "bucketing", "分桶", "Batches of sequences of like lengths, so that little is padding."
    ),
    Term(
        9,
        "bidirectional",
        "双向",
        "Reading a sequence from both ends, with a layer for each direction.",
    ),
    Term(
        9,
        "tokenize",
        "分词",
        "To cut a text into the units that get numbers: words, marks, letters.",
    ),
    Term(9, "n-gram", "n 元语法", "A group of n neighboring letters or words."),
    Term(9, "bag of words", "词袋", "A text as the counts of its words, without their order."),
    Term(
        10,
        "encoder–decoder",
        "编码器–解码器",
        "One network reads a sequence into states, another writes a sequence from them.",
    ),
    Term(
        10,
        "sequence to sequence",
        "序列到序列",
        "A task with one sequence as input and another, of its own length, as output.",
    ),
    Term(
        10,
        "phoneme",
        "音素",
        "A unit of sound that tells one word of a language from another.",
    ),
    Term(
        10,
        "bottleneck",
        "瓶颈",
        "The one vector through which a decoder without attention gets all it knows of the input.",
    ),
    Term(
        10,
        "attention",
        "注意力机制",
        "A mean of values, weighted by how well a query fits the key of each.",
    ),
    Term(
        10,
        "query, key, value",
        "查询、键、值",
        "What is asked, what it is compared with, and what is returned.",
    ),
    Term(
        10,
        "additive attention",
        "加性注意力",
        "Attention whose score is a small network: v·tanh(Ws + Uh).",
    ),
    Term(
        10,
        "scaled dot product",
        "缩放点积",
        "The score q·k/√d, whose spread does not grow with the length d of the vectors.",
    ),
    Term(
        10,
        "multi-head attention",
        "多头注意力",
        "Several attentions side by side, each in a subspace of its own, joined and mixed.",
    ),
    Term(
        10,
        "attention mask",
        "注意力掩码",
        "True where a query may look; elsewhere the score becomes −∞ before the softmax.",
    ),
    Term(
        10,
        "causal mask",
        "因果掩码",
        "A mask that lets each place look at itself and at earlier places only.",
    ),
    Term(
        10,
        "edit distance",
        "编辑距离",
        "The fewest insertions, deletions and replacements that turn one sequence into another.",
    ),
    Term(
        10,
        "rank correlation",
        "秩相关",
        "The correlation of two rankings; 1 where one quantity always grows with the other.",
    ),
    Term(
        12,
        "latent variable",
        "隐变量",
        "A quantity that a model assumes behind the data and that no data set contains.",
    ),
    Term(
        12,
        "encoder",
        "编码器",
        "A network that turns an example into its code.",
    ),
    Term(
        12,
        "decoder",
        "解码器",
        "A network that turns a code into an example.",
    ),
    Term(
        12,
        "code",
        "编码",
        "The few numbers that stand for an example inside a model.",
    ),
    Term(
        12,
        "autoencoder",
        "自编码器",
        "Encoder and decoder, trained together to give back what came in.",
    ),
    Term(
        12,
        "variational autoencoder, VAE",
        "变分自编码器",
        "An autoencoder whose codes are samples, trained on −ELBO; a model that can invent.",
    ),
    Term(
        12,
        "prior",
        "先验分布",
        "The distribution p(z) of the codes before an example is seen; here N(0, I).",
    ),
    Term(
        12,
        "posterior",
        "后验分布",
        "The distribution p(z|x) of the codes once the example x is known.",
    ),
    Term(
        12,
        "evidence lower bound, ELBO",
        "证据下界",
        "A lower bound of ln p(x): minus reconstruction minus divergence.",
    ),
    Term(
        12,
        "nat",
        "奈特",
        "The unit of information with the natural logarithm; 1 nat is 1.44 bits.",
    ),
    Term(
        12,
        "reparameterization trick",
        "重参数化技巧",
        "Computing a sample as z = μ + σε, so that a gradient passes through it.",
    ),
    Term(
        12,
        "score-function estimator",
        "得分函数估计",
        "A gradient of a mean from f(z)·∇ln q(z), without the slope of f; it scatters more.",
    ),
    Term(
        12,
        "posterior collapse",
        "后验坍缩",
        "q(z|x) equals the prior for every x: the code says nothing.",
    ),
    Term(
        12,
        "stochastic binarization",
        "随机二值化",
        "Making each pixel white with the probability of its gray value.",
    ),
    Term(
        12,
        "Fréchet distance",
        "弗雷歇距离",
        "How far apart two sets are, as normal distributions of their features.",
    ),
    Term(
        12,
        "k-means",
        "k 均值",
        "Clustering by turns: points to their nearest center, centers to the mean of their points.",
    ),
    Term(
        12,
        "purity",
        "纯度",
        "Share of points whose label is the most frequent one of their group.",
    ),
    Term(
        13,
        "generative adversarial network (GAN)",
        "生成对抗网络",
        "Two networks that learn against each other: one makes examples, one judges them.",
    ),
    Term(13, "generator", "生成器", "The network that turns noise into examples."),
    Term(
        13,
        "discriminator",
        "判别器",
        "The network that says how probable it is that an example is real.",
    ),
    Term(
        13,
        "Jensen–Shannon divergence",
        "JS 散度",
        "The mean divergence of two distributions from their mixture; between 0 and ln 2.",
    ),
    Term(
        13,
        "non-saturating loss",
        "非饱和损失",
        "The generator's loss −ln D(G(z)), which stays steep where the discriminator is sure.",
    ),
    Term(13, "mode collapse", "模式崩溃", "A generator that makes few kinds of what there is."),
    Term(13, "critic", "评论家", "A discriminator whose score is any number and no probability."),
    Term(
        13,
        "Wasserstein distance",
        "Wasserstein 距离",
        "The least work of moving one distribution into the other.",
    ),
    Term(
        13,
        "gradient penalty",
        "梯度惩罚",
        "A term of the loss that asks a critic for gradients of length 1.",
    ),
    Term(
        13,
        "least-squares GAN (LSGAN)",
        "最小二乘 GAN",
        "A GAN whose players descend squared errors of the score.",
    ),
    Term(
        13,
        "latent walk",
        "潜空间漫步",
        "A path through the generator's noise, seen as the images along it.",
    ),
    Term(
        13,
        "diffusion model",
        "扩散模型",
        "A generator that learns to take noise away, a little at each step.",
    ),
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
    cells = ((t.english, t.chinese, t.meaning.replace("|", r"\|")) for t in terms)
    rows = [f"| {' | '.join(row)} |" for row in cells]
    plain = [f"{t.english} · {t.chinese}: {t.meaning}" for t in terms]
    table = "\n".join(["| English | 中文 | meaning |", "|---|---|---|", *rows])
    display({"text/markdown": table, "text/plain": "\n".join(plain)}, raw=True)
