"""The registry of trained models: candidates, their comparison with what serves, the gate, promotion and rollback.

The registry is MLflow's, but what serves is said by `nlp_service.inference.release` alone; aliases follow it.
"""
