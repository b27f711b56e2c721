"""Proof of action: the catalogue, signed one-time tokens and their redemption."""
