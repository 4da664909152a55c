"""What a network of one's own is handed over in, and three networks of torchvision.

Nothing is imported or fetched until one of them is used.
"""

from typing import Any, ClassVar, NamedTuple

from twinpix.errors import UsageError

DEFAULT_MODEL_NAME = "default_model"


class CustomModel(NamedTuple):
    """A network and the transform that turns a picture into its input, under a name.

    `model` takes a batch of tensors and gives a row of numbers for each; `transform` makes a tensor of a
    Pillow image in RGB.
    """

    name: str = DEFAULT_MODEL_NAME
    model: Any = None
    transform: Any = None


def pytorch() -> Any:
    """PyTorch itself; raises `UsageError` when it is not installed."""
    try:
        import torch
    except ImportError as error:
        raise UsageError(f"a model of your own needs PyTorch ({error}): pip install 'twinpix[torch]'") from None
    return torch


def _torchvision() -> Any:
    pytorch()
    try:
        import torchvision
    except ImportError as error:
        raise UsageError(
            f"the networks of torchvision need it ({error}): pip install torchvision; twinpix's own network does not"
        ) from None
    return torchvision


class _Transform:
    """Makes a picture ready for a network of torchvision, which is asked for it when the first one comes."""

    def __init__(self, weights: str) -> None:
        self._weights = weights
        self._made: Any = None

    def __call__(self, image: Any) -> Any:
        if self._made is None:
            self._made = self._make(_torchvision())
        return self._made(image)

    def _make(self, torchvision: Any) -> Any:
        return torchvision.models.get_weight(self._weights).transforms()


class _SquashAndCrop(_Transform):
    """imagededup's way for MobileNet: to 256 pixels a side whatever the shape, and of these the middle."""

    def _make(self, torchvision: Any) -> Any:
        steps = torchvision.transforms
        return steps.Compose(
            [
                steps.Resize((256, 256)),
                steps.CenterCrop(224),
                steps.ToTensor(),
                steps.Normalize(mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225]),
            ]
        )


class _Pretrained:
    """A network of torchvision with published weights, which are loaded when it first computes.

    What raises then is a `UsageError`: torchvision is not installed, or the weights cannot be fetched.
    """

    name: ClassVar[str]
    weights: ClassVar[str]

    def __init__(self) -> None:
        self._loaded: Any = None
        self._device = "cpu"

    def __call__(self, x: Any) -> Any:
        return self.forward(x)

    def forward(self, x: Any) -> Any:
        """A row of numbers for each picture of a batch `(n, 3, rows, columns)`."""
        return self._features(self._network(), x)

    def to(self, device: Any) -> "_Pretrained":
        """Compute on another device."""
        self._device = device
        if self._loaded is not None:
            self._loaded = self._loaded.to(device)
        return self

    def eval(self) -> "_Pretrained":
        """It is never anything but ready for evaluation."""
        return self

    def _network(self) -> Any:
        if self._loaded is None:
            models = _torchvision().models
            weights = models.get_weight(self.weights)
            try:
                loaded = models.get_model(self.name, weights=weights)
            except (OSError, RuntimeError) as error:  # without a network, or half of the file
                raise UsageError(
                    f"the weights of {self.name} could not be fetched from {weights.url}: {error}; "
                    "fetch that file elsewhere and put it into torch.hub.get_dir()/checkpoints"
                ) from None
            self._loaded = loaded.eval().to(self._device)
        return self._loaded

    def _features(self, network: Any, x: Any) -> Any:
        return network.avgpool(network.features(x)).flatten(1)


class _MobilenetV3(_Pretrained):
    """MobileNetV3-small: 576 numbers, imagededup's default."""

    name = "mobilenet_v3_small"
    weights = "MobileNet_V3_Small_Weights.IMAGENET1K_V1"
    transform: ClassVar[_Transform] = _SquashAndCrop(weights)


class _ViT(_Pretrained):
    """ViT-B/16: 768 numbers, the mean of all that its encoder gives."""

    name = "vit_b_16"
    weights = "ViT_B_16_Weights.IMAGENET1K_SWAG_E2E_V1"
    transform: ClassVar[_Transform] = _Transform(weights)

    def _features(self, network: Any, x: Any) -> Any:
        patches = network._process_input(x)  # torchvision has no other name for it
        first = patches.new_zeros(len(patches), 1, patches.shape[2])  # imagededup gives zeros for the class token
        return network.encoder(pytorch().cat([first, patches], dim=1)).mean(dim=1)


class _EfficientNet(_Pretrained):
    """EfficientNet-B4: 1,792 numbers."""

    name = "efficientnet_b4"
    weights = "EfficientNet_B4_Weights.IMAGENET1K_V1"
    transform: ClassVar[_Transform] = _Transform(weights)


_NETWORKS = {"MobilenetV3": _MobilenetV3, "ViT": _ViT, "EfficientNet": _EfficientNet}


def __getattr__(name: str) -> Any:
    """A network by imagededup's name: a `torch.nn.Module` where PyTorch is installed, made when it is asked for."""
    if name not in _NETWORKS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    made = _as_module(name, _NETWORKS[name])
    globals()[name] = made
    return made


def _as_module(name: str, network: type[_Pretrained]) -> type[Any]:
    """The class of a network; one that is a module of PyTorch loads its weights before it names its parts."""
    try:
        from torch import nn
    except ImportError:
        return type(name, (network,), {"__module__": __name__, "__doc__": network.__doc__})

    class Module(network, nn.Module):  # type: ignore[valid-type, misc]
        def __init__(self) -> None:
            nn.Module.__init__(self)
            network.__init__(self)

        __call__ = nn.Module.__call__

        def named_parameters(self, *given: Any, **named: Any) -> Any:
            self._network()
            return nn.Module.named_parameters(self, *given, **named)

        def named_modules(self, *given: Any, **named: Any) -> Any:
            self._network()
            return nn.Module.named_modules(self, *given, **named)

        def state_dict(self, *given: Any, **named: Any) -> Any:
            self._network()
            return nn.Module.state_dict(self, *given, **named)

    Module.__name__ = Module.__qualname__ = name
    Module.__doc__ = network.__doc__
    return Module
