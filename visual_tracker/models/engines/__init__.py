"""What runs an exported network: one module an engine, NumPy in and out; no torch.

An engine is a module with `NAME`, `PRECISIONS`, `MODULES` and three functions: see
:class:`visual_tracker.models.engines.base.Engine`. Eager torch is no engine in this sense: it needs
no export (`visual_tracker.models.torch_matchers`).
"""
