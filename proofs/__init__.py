"""Proofs of the claims in section 9 of the specification, one theorem per file."""
