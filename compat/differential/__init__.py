"""Millions of mutated tokens, headers and stored passwords, judged by Countersign and by the originals.

The rule: what Countersign accepts, the original accepts, and understands the same way. What the
original accepts and Countersign does not, and any other answer that differs, must be covered by a
rule that names its line in docs/differences.md; anything else fails. See scripts/differential.
"""
