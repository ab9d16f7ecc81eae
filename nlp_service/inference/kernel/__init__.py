"""An encoder's forward pass as compiled code, which computes windows of any length one after another."""
