"""Agent Forge: trains small language models, breeds them, and proves every byte."""

__version__ = "0.1.0"
