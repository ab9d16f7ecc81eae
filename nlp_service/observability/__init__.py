"""What operators see of the service: metrics and traces. None of it holds what a request holds."""
