"""The same texts written differently: to train on, and to measure by."""
