"""How good answers are: figures by scikit-learn and torchmetrics, each with how far chance could move it."""
