"""The user's own torch.nn.Module, applied to rows on every GPU."""
