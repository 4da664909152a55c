"""The class for user models, and three networks of torchvision.

Nothing is imported or downloaded until a network is used.
"""

from typing import Any, ClassVar, NamedTuple

from twinpix.errors import UsageError

DEFAULT_MODEL_NAME = "default_model"


class CustomModel(NamedTuple):
    """A network, the transform of an image to its input, and a name.

    `model` maps a batch of tensors to one vector each; `transform` converts an RGB Pillow image to a tensor.
    """

    name: str = DEFAULT_MODEL_NAME
    model: Any = None
    transform: Any = None


def pytorch() -> Any:
    """Return the module `torch`; raises `UsageError` if it is not installed."""
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
    """The transform of a torchvision network; torchvision is imported for the first image."""

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
    """imagededup's transform for MobileNet: resize to 256 × 256, whatever the aspect ratio, and crop the centre."""

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
    """A network of torchvision; its published weights are loaded at the first computation.

    That computation raises `UsageError` if torchvision is not installed or the weights cannot be downloaded.
    """

    name: ClassVar[str]
    weights: ClassVar[str]

    def __init__(self) -> None:
        self._loaded: Any = None
        self._device = "cpu"

    def __call__(self, x: Any) -> Any:
        return self.forward(x)

    def forward(self, x: Any) -> Any:
        """Return one vector for each image of a batch `(n, 3, rows, columns)`."""
        return self._features(self._network(), x)

    def to(self, device: Any) -> "_Pretrained":
        """Move the network to a device."""
        self._device = device
        if self._loaded is not None:
            self._loaded = self._loaded.to(device)
        return self

    def eval(self) -> "_Pretrained":
        """Do nothing: the network is always in evaluation mode."""
        return self

    def _network(self) -> Any:
        if self._loaded is None:
            models = _torchvision().models
            weights = models.get_weight(self.weights)
            try:
                loaded = models.get_model(self.name, weights=weights)
            except (OSError, RuntimeError) as error:  # no internet connection, or an incomplete file
                raise UsageError(
                    f"the weights of {self.name} could not be fetched from {weights.url}: {error}; "
                    "fetch that file elsewhere and put it into torch.hub.get_dir()/checkpoints"
                ) from None
            self._loaded = loaded.eval().to(self._device)
        return self._loaded

    def _features(self, network: Any, x: Any) -> Any:
        return network.avgpool(network.features(x)).flatten(1)


class _MobilenetV3(_Pretrained):
    """MobileNetV3-small: 576 dimensions, the default of imagededup."""

    name = "mobilenet_v3_small"
    weights = "MobileNet_V3_Small_Weights.IMAGENET1K_V1"
    transform: ClassVar[_Transform] = _SquashAndCrop(weights)


class _ViT(_Pretrained):
    """ViT-B/16: 768 dimensions, the mean of the encoder's output tokens."""

    name = "vit_b_16"
    weights = "ViT_B_16_Weights.IMAGENET1K_SWAG_E2E_V1"
    transform: ClassVar[_Transform] = _Transform(weights)

    def _features(self, network: Any, x: Any) -> Any:
        patches = network._process_input(x)  # torchvision has no public name for it
        first = patches.new_zeros(len(patches), 1, patches.shape[2])  # imagededup uses zeros as the class token
        return network.encoder(pytorch().cat([first, patches], dim=1)).mean(dim=1)


class _EfficientNet(_Pretrained):
    """EfficientNet-B4: 1,792 dimensions."""

    name = "efficientnet_b4"
    weights = "EfficientNet_B4_Weights.IMAGENET1K_V1"
    transform: ClassVar[_Transform] = _Transform(weights)


_NETWORKS = {"MobilenetV3": _MobilenetV3, "ViT": _ViT, "EfficientNet": _EfficientNet}


def __getattr__(name: str) -> Any:
    """Create a network class by its imagededup name; it is a `torch.nn.Module` if PyTorch is installed."""
    if name not in _NETWORKS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    made = _as_module(name, _NETWORKS[name])
    globals()[name] = made
    return made


def _as_module(name: str, network: type[_Pretrained]) -> type[Any]:
    """Return the class of a network; as a `torch.nn.Module` it loads its weights before its parts are listed."""
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
