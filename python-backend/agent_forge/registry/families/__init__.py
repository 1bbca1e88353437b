"""Families of causal language models: what their tensors' names mean. One data file a family."""
