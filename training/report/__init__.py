"""The evaluation report: figures, robustness, baselines and plots of a model on labelled texts."""
