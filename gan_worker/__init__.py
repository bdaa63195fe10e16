"""The worker of Tilewright: trains a GAN on pictures and generates seamless PBR materials."""

__version__ = "0.1.0"
